/** Runs before each test file: nothing of the person who runs the tests reaches the tests or what they start. */
import { findChromium } from "./chromium.ts";

/**
 * CLAWDINATOR_TEST_MODEL_URL and _FILE are for the tests themselves: `local-model.ts` says what they are. So is
 * CLAWDINATOR_TEST_KILLS: `all` kills at more points on AWS than a run of the whole suite has time for.
 */
const personal = /^(AWS|OPENAI|ANTHROPIC|GITHUB|GH|DISCORD|CLAWDINATOR(?!_TEST_(MODEL|KILLS)))_/;

/** Set inside a hook or an alias of git; they would point a test's git at this checkout. */
const gitPointers = /^GIT_(DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|COMMON_DIR|PREFIX|AUTHOR_.*|COMMITTER_.*)$/;

for (const name of Object.keys(process.env)) {
  if (personal.test(name) || gitPointers.test(name)) delete process.env[name];
}

process.env.GIT_CONFIG_GLOBAL = "/dev/null";
process.env.GIT_CONFIG_NOSYSTEM = "1";
process.env.GIT_TERMINAL_PROMPT = "0";
process.env.AWS_EC2_METADATA_DISABLED = "true";
// Below a device no directory can be made: a test that forgets to name its own state directory fails.
process.env.CLAWDINATOR_HOME = "/dev/null/clawdinator-tests-name-their-own-home";

const chromium = findChromium();
if (chromium) process.env.CHROMIUM = chromium;
else delete process.env.CHROMIUM;
