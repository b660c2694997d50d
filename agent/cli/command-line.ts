/** Every command, its options and its help. Commands load what they need when they run. */
import { Command, CommanderError, Option } from "commander";
import { defaultHome } from "../paths.ts";
import { type AddCommand, parseCount } from "./command-parts.ts";
import { memoryCommands } from "./memory-commands.ts";
import { createOutput, reportError, UsageError } from "./output.ts";

/** Whether what follows may be anything that people write, a list's line with its dash in front included. */
const takesWords = (usage: string): boolean => usage.includes("...");

/** A word that can only be meant as an option is not taken for text, unless `--` says so. */
function refuseMistypedOption(command: Command, words: unknown[]): void {
  const mistyped = words.find((word) => typeof word === "string" && /^--?[a-z][a-z-]*(=|$)/i.test(word));
  if (mistyped !== undefined && !process.argv.includes("--")) command.error(`error: unknown option '${mistyped}'`);
}

/** Builds the whole command line; `docs/command-line.md` is generated from it. */
export function buildCommandLine(): Command {
  const program = new Command("clawdinator")
    .description("An autonomous maintainer bot that provisions its own fleet.")
    .helpCommand(false)
    // What stands behind a command's name is meant for it, also where the command above knows the same option.
    .enablePositionalOptions()
    .showHelpAfterError("(add --help for the options and an example)");

  const add: AddCommand = (parent, usage, description, example, action) =>
    parent
      .command(usage)
      .description(description)
      .addOption(new Option("--json", "one JSON value (or one a line) on stdout"))
      .addOption(new Option("--state-dir <path>", "state directory; default $CLAWDINATOR_HOME").env("CLAWDINATOR_HOME"))
      .addOption(new Option("--as <maintainer>", "act for another maintainer; on this machine only, and audited"))
      .addHelpText("after", `\nExample:\n  ${example}`)
      .allowUnknownOption(takesWords(usage))
      .action(async (...all: unknown[]) => {
        const command = all.at(-1) as Command;
        if (takesWords(usage)) refuseMistypedOption(command, all.slice(0, -2).flat());
        const options = command.opts<Record<string, unknown>>();
        const parameters = all.slice(0, -2).flatMap((one) => (Array.isArray(one) ? [one.join(" ")] : [one as string]));
        const output = createOutput(options.json === true);
        const home = typeof options.stateDir === "string" && options.stateDir !== "" ? options.stateDir : defaultHome();
        const as = typeof options.as === "string" ? options.as : null;
        await action({ home, as, output }, parameters, options);
      });
  const group = (name: string, description: string): Command =>
    program.command(name).description(description).helpCommand(false);

  add(
    program,
    "up",
    "start this instance and stay until it is stopped",
    "clawdinator up --port 0",
    async (context, _parameters, options) => (await import("./up.ts")).up(context, options),
  )
    .option("--port <number>", "port of the console; 0 takes a free one", parsePort)
    .option(
      "--config <path>",
      "configuration file; default $CLAWDINATOR_CONFIG, else config.json in the state directory",
    )
    .addOption(new Option("--instance <id>", "run an instance that was launched").hideHelp())
    .addOption(new Option("--home <path>", "state directory").hideHelp());

  add(program, "down", "stop every instance on this machine", "clawdinator down", async (context) =>
    (await import("./fleet.ts")).down(context),
  );

  add(
    program,
    "ask <text...>",
    "say something and wait for the answer",
    'clawdinator ask "spawn a sibling" --wait',
    async (context, [text], options) => (await import("./ask.ts")).ask(context, text ?? "", options),
  )
    .option("--to <name>", "the instance that shall answer")
    .option("--conversation <id>", "conversation to go on with; default: cli-NAME")
    .option("--wait", "follow the operations that it proposes to their end");

  const fleet = group("fleet", "the fleet as it is and as it should be");
  add(
    fleet,
    "status",
    "every instance with state, revision, image, epoch and health",
    "clawdinator fleet status",
    async (context) => (await import("./fleet.ts")).fleetStatus(context),
  );
  add(
    fleet,
    "drift",
    "difference between desired and actual state",
    "clawdinator fleet drift --json",
    async (context) => (await import("./fleet.ts")).fleetDrift(context),
  );

  const approvals = group("approvals", "plans that wait for a maintainer, and what became of them");
  add(
    approvals,
    "list",
    "approvals, newest first",
    "clawdinator approvals list",
    async (context, _parameters, options) => (await import("./approvals.ts")).list(context, options),
  ).option("--all", "those that are decided, too");
  add(
    approvals,
    "show <id>",
    "exactly what would change",
    "clawdinator approvals show ap-0123456789ab",
    async (context, [id]) => (await import("./approvals.ts")).show(context, id ?? ""),
  );
  for (const decision of ["approve", "reject"] as const) {
    add(
      approvals,
      `${decision} <id>`,
      `${decision} the plan as it stands`,
      `clawdinator approvals ${decision} ap-0123456789ab`,
      async (context, [id], options) => (await import("./approvals.ts")).decide(context, id ?? "", decision, options),
    )
      .option("--digest <digest>", "the digest you saw; default: the plan as shown now")
      .option("--reason <text>", "why, for the record")
      .option("--wait", "follow the operation to its end");
  }

  const operations = group("operations", "what runs and what ran");
  add(operations, "list", "operations, newest first", "clawdinator operations list", async (context) =>
    (await import("./operations.ts")).list(context),
  );
  add(
    operations,
    "show <id>",
    "one operation with its steps",
    "clawdinator operations show op-0123456789ab",
    async (context, [id]) => (await import("./operations.ts")).show(context, id ?? ""),
  );
  add(
    operations,
    "propose <operation>",
    "propose an operation",
    `clawdinator operations propose instance_retire --input '{"name":"CLAWDINATOR-2"}'`,
    async (context, [operation], options) =>
      (await import("./operations.ts")).propose(context, operation ?? "", options),
  ).option("--input <json>", "its input", "{}");
  add(
    operations,
    "resume <id>",
    "try again to undo what a failed operation left",
    "clawdinator operations resume op-0123456789ab",
    async (context, [id]) => (await import("./operations.ts")).act(context, id ?? "", "resume"),
  );
  add(
    operations,
    "cancel <id>",
    "stop an operation and undo what it did",
    "clawdinator operations cancel op-0123456789ab",
    async (context, [id]) => (await import("./operations.ts")).act(context, id ?? "", "cancel"),
  );

  const schedule = group("schedule", "what runs by itself, and when");
  add(
    schedule,
    "list",
    "jobs with their next time and how the last one ended",
    "clawdinator schedule list",
    async (context) => (await import("./schedule.ts")).list(context),
  );
  for (const [action, what] of [
    ["run", "run a job now, besides its times"],
    ["pause", "let a job rest until it is resumed"],
    ["resume", "let a paused job run again; one time that it missed is made up for"],
  ] as const) {
    add(schedule, `${action} <id>`, what, `clawdinator schedule ${action} heartbeat`, async (context, [id]) =>
      (await import("./schedule.ts")).act(context, id ?? "", action),
    );
  }

  const conversations = group("conversations", "what was said, in every conversation of this fleet");
  const conversationsModule = () => import("./conversations.ts");
  add(
    conversations,
    "list",
    "conversations, newest first, with what was asked first in each",
    "clawdinator conversations list --limit 20",
    async (context, _parameters, options) => (await conversationsModule()).list(context, options),
  )
    .option("--limit <number>", "at most this many; default: 50", parseCount)
    .option("--after <cursor>", "go on where a list ended");
  add(
    conversations,
    "show <id>",
    "everything in a conversation, and which part of it its model sees as a summary",
    "clawdinator conversations show cli-ada",
    async (context, [id]) => (await conversationsModule()).show(context, id ?? ""),
  );
  add(
    conversations,
    "search <text...>",
    "conversations that hold a text, in any case",
    'clawdinator conversations search "drain timeout"',
    async (context, [text], options) => (await conversationsModule()).search(context, text ?? "", options),
  )
    .option("--limit <number>", "at most this many conversations; default: 20", parseCount)
    .option("--after <cursor>", "go on where a search ended");

  const image = group("image", "images that instances are launched from");
  add(
    image,
    "build [revision]",
    "build the image of a commit",
    "clawdinator image build HEAD",
    async (context, [revision]) => (await import("./image.ts")).build(context, revision),
  );
  add(
    image,
    "import [revision]",
    "propose to make the image of a commit launchable",
    "clawdinator image import HEAD",
    async (context, [revision], options) => (await import("./image.ts")).importImage(context, revision, options),
  )
    .option("--via <way>", "how it becomes an AMI: ebs-direct or vm-import; default `aws.importWay`")
    .option("--wait", "wait for the approval and the end");
  add(
    image,
    "upload <file>",
    "send a raw disk image to AWS as an EBS snapshot; run again, it goes on where it stopped",
    "clawdinator image upload nixos.img --region eu-central-1",
    async (context, [file], options) => (await import("./image-upload.ts")).upload(context, file ?? "", options),
  )
    .option("--parent <snapshot>", "snapshot to build on; only what differs is sent")
    .option("--region <region>", "AWS region; default $AWS_REGION, else eu-central-1");
  add(image, "list", "built images, newest first", "clawdinator image list", async (context) =>
    (await import("./image.ts")).list(context),
  );
  add(
    image,
    "prune",
    "propose to delete unused images",
    "clawdinator image prune --keep 3",
    async (context, _parameters, options) => (await import("./image.ts")).prune(context, options),
  ).option("--keep <number>", "newest images to keep besides those in use", parseCount);
  add(
    image,
    "publish",
    "build the image of a commit and register it on AWS, without a gateway",
    "clawdinator image publish --revision HEAD --config nix/settings.json",
    async (context, _parameters, options) => (await import("./image-publish.ts")).publish(context, options),
  )
    .option("--revision <revision>", "commit, branch or tag of the program; default: HEAD")
    .option("--via <way>", "ebs-direct or vm-import; default: `aws.importWay` of the configuration")
    .option("--config <path>", "the fleet's configuration, such as nix/settings.json of the fleet repository");

  memoryCommands(group("memory", "the hive mind's documents"), add);

  const costCommand = add(
    program,
    "cost",
    "what the models cost, against the budget",
    "clawdinator cost --days 7 --by person",
    async (context, _parameters, options) => (await import("./cost.ts")).cost(context, options),
  )
    .option("--days <number>", "days up to and with today, UTC; default: 1", parseCount)
    .option("--by <what>", "model, person, run, instance, day or purpose; default: model")
    .helpCommand(false);
  add(
    costCommand,
    "reset",
    "close the budget's breaker, so that models are asked again",
    "clawdinator cost reset",
    async (context) => (await import("./cost.ts")).reset(context),
  );

  const maintainers = group("maintainers", "who may ask and approve");
  const maintainersModule = () => import("./maintainers.ts");
  add(
    maintainers,
    "list",
    "maintainers and whether they are approvers",
    "clawdinator maintainers list",
    async (context) => (await maintainersModule()).list(context),
  );
  add(
    maintainers,
    "add <name...>",
    "add a maintainer; their token is shown once",
    'clawdinator maintainers add "Ada"',
    async (context, [name], options) => (await maintainersModule()).add(context, name ?? "", options),
  ).option("--approver", "also propose the policy change that lets them approve");
  add(
    maintainers,
    "remove <id>",
    "remove a maintainer; their token stops working",
    "clawdinator maintainers remove 2",
    async (context, [id]) => (await maintainersModule()).remove(context, id ?? ""),
  );
  add(
    maintainers,
    "link <id> <user>",
    "say which Discord user a maintainer is, by the user's numeric id",
    "clawdinator maintainers link 1 205412380511272960",
    async (context, [id, user]) => (await maintainersModule()).link(context, id ?? "", user ?? ""),
  );
  add(
    maintainers,
    "unlink <id>",
    "take back which Discord user a maintainer is",
    "clawdinator maintainers unlink 1",
    async (context, [id]) => (await maintainersModule()).link(context, id ?? "", null),
  );
  add(
    maintainers,
    "login",
    "print this user's login link for the console",
    "clawdinator maintainers login",
    async (context) => (await maintainersModule()).login(context),
  );

  const secrets = group("secrets", "keys and tokens, for all instances or for one; values go in and never come out");
  const secretsModule = () => import("./secrets.ts");
  const configOption = () =>
    new Option("--config <path>", "the fleet of this configuration, past any gateway that runs here");
  const instanceOption = () =>
    new Option("--instance <name>", "for this instance alone; its own go before the shared ones");
  const fileOption = () =>
    new Option("--from-file <path>", "the value; default: standard input, or a prompt without echo");
  add(
    secrets,
    "list",
    "secrets by name, source, version and who has taken them up",
    "clawdinator secrets list",
    async (context, _parameters, options) => (await secretsModule()).list(context, options),
  ).addOption(configOption());
  add(
    secrets,
    "put <name>",
    "store a secret, new or changed",
    "clawdinator secrets put github-app-pem --from-file app.private-key.pem",
    async (context, [name], options) => (await secretsModule()).put(context, name ?? "", options),
  )
    .addOption(instanceOption())
    .addOption(fileOption())
    .addOption(configOption())
    .allowExcessArguments()
    .hook("preAction", refuseValue);
  add(
    secrets,
    "rotate <name>",
    "change a secret in use; running instances take it up without a restart",
    "clawdinator secrets rotate anthropic-api-key --wait",
    async (context, [name], options) => (await secretsModule()).rotate(context, name ?? "", options),
  )
    .addOption(instanceOption())
    .addOption(fileOption())
    .option("--wait", "until every running instance has taken it up")
    .option("--confirm", "drop the previous value, which is kept until then")
    .option("--undo", "bring the previous value back")
    .addOption(configOption())
    .allowExcessArguments()
    .hook("preAction", refuseValue);

  add(
    program,
    "bootstrap",
    "make a fleet on AWS, up to its first instance; run it again to go on",
    "clawdinator bootstrap --remote git@github.com:YOU/fleet.git --dry-run",
    async (context, _parameters, options) => {
      const { bootstrap } = await import("../../bootstrap/main.ts");
      await bootstrap({ home: context.home, given: options, output: context.output, environment: process.env });
    },
  )
    .option("--remote <address>", "empty git repository that becomes the fleet repository")
    .option("--name <name>", "the first instance; default: CLAWDINATOR-1")
    .option("--region <region>", "AWS region; default: $AWS_REGION, else eu-central-1")
    .option("--fleet <name>", "name of the fleet, which tells two of an account apart; default: clawdinator")
    .option("--fleet-repository <directory>", "working clone of the fleet repository; default: ~/FLEET-fleet")
    .option("--program-repository <address>", "where instances get the program; default: this checkout's origin")
    .option("--revision <revision>", "commit, branch or tag of the program; default: this checkout's commit")
    .option("--build <place>", "where the image is built: here (needs nix) or ci (GitHub Actions); default: here")
    .option("--ami <id>", "an AMI that exists, in place of a build")
    .option("--via <way>", "how the image becomes an AMI: ebs-direct (default) or vm-import")
    .option("--secret <name=file>", "a secret's file, such as discord-token=token.txt; may be repeated", collect)
    .option("--only <step>", "this step alone, again")
    .option("--dry-run", "show the plan and its cost, change nothing")
    .option("--yes", "agree to the plan without being asked")
    .option("--teardown", "list what exists of the fleet and remove it");

  add(
    program,
    "pause",
    "begin no answer, job or operation and propose none until resumed",
    'clawdinator pause --reason "the bill is too high"',
    async (context, _parameters, options) => (await import("./fleet.ts")).pause(context, true, options.reason),
  ).option("--reason <text>", "why, for everyone to see");
  add(program, "resume", "end the pause", "clawdinator resume", async (context) =>
    (await import("./fleet.ts")).pause(context, false),
  );
  add(
    program,
    "audit",
    "who did what, newest first",
    "clawdinator audit --limit 20",
    async (context, _parameters, options) => (await import("./fleet.ts")).audit(context, options),
  )
    .option("--limit <number>", "entries at most", parseCount, 50)
    .option("--subject <id>", "only about this approval, operation or name");
  add(program, "doctor", "check this machine and the running instance", "clawdinator doctor", async (context) =>
    (await import("./doctor.ts")).doctor(context),
  );
  add(program, "version", "version of the program", "clawdinator version --json", async (context) =>
    (await import("./doctor.ts")).version(context),
  );
  return program;
}

/** A value on the command line is seen by every process of the machine and kept by shells; it is not shown once more. */
function refuseValue(command: Command): void {
  if (command.args.length <= 1) return;
  throw new UsageError(
    "a secret's value is not given on the command line, where others can read it; take this one as known to them",
    `give it at the prompt, on standard input, or with --from-file: clawdinator secrets ${command.name()} NAME`,
  );
}

function collect(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text];
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageError(`"${text}" is not a port`, "a port is a number from 0 to 65535");
  return port;
}

/** Parses and runs; sets the exit code: 0 success, 1 failure, 2 wrong usage. */
export async function runCommandLine(argv: readonly string[]): Promise<void> {
  const program = buildCommandLine();
  const json = argv.includes("--json");
  configure(program, json);
  try {
    if (argv.length <= 2) program.help({ error: true });
    await program.parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      if (json && error.exitCode !== 0) {
        const message = error.message.replace(/^error: /, "");
        process.stdout.write(
          `${JSON.stringify({ error: { code: "usage", message, hint: "add --help for the options and an example" } })}\n`,
        );
      }
      return;
    }
    process.exitCode = reportError(error, json);
  }
}

function configure(command: Command, json: boolean): void {
  command.exitOverride();
  command.configureOutput({ writeErr: (text) => (json ? undefined : process.stderr.write(text)) });
  for (const child of command.commands) configure(child, json);
}
