/**
 * The system prompt: the workspace files, the list of skills, and memory's index, as they were when the conversation
 * began. It is stored with the conversation, so that its bytes stay the same and a model's cache of them stays good.
 * What changes later is found by the tools that read it, never by changing what was sent.
 */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Memory, MemoryDocument } from "../../memory/index.ts";
import { openWorkspace } from "../../tools/workspace/files.ts";
import { listSkills, type Skill } from "../../tools/workspace/skills.ts";
import type { TemplateValues } from "../../tools/workspace/template.ts";

const workspaceFiles = ["SOUL.md", "IDENTITY.md", "AGENTS.md", "TOOLS.md", "USER.md", "HEARTBEAT.md"];

/** Of each part, in characters: one that grew by accident must not fill the whole context. */
const longestPart = 12_000;

export interface PromptOptions {
  /** The name's workspace; the program's own files stand in for what cannot be read there. */
  workspace: string | undefined;
  values: TemplateValues;
  memory: Memory;
  /** Told what was left out, and why. */
  warn?(text: string): void;
}

/** The conversation's prompt; made and stored in its folder, which exists, at its first use. */
export async function systemPrompt(options: PromptOptions & { conversationFolder: string }): Promise<string> {
  const path = join(options.conversationFolder, "prompt.md");
  const stored = await readFile(path, "utf8").catch(() => null);
  if (stored !== null) return stored;
  const prompt = await buildPrompt(options);
  // A prompt that a crash loses is built again, so it needs no fsync; the rename keeps readers from half of one.
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, prompt, { mode: 0o600 });
  await rename(temporary, path);
  return prompt;
}

export async function buildPrompt(options: PromptOptions): Promise<string> {
  const { workspace, values, memory, warn = () => undefined } = options;
  const files = openWorkspace({ directory: workspace, values });
  const [texts, { skills, warnings }, index] = await Promise.all([
    Promise.all(workspaceFiles.map((name) => files.read(name))),
    listSkills(files),
    memory.read("index.md"),
  ]);
  for (const warning of warnings) warn(warning);
  const parts = texts.flatMap((text, place) => {
    const part = withoutComments(text ?? "");
    return part === "" ? [] : [shortened(part, workspaceFiles[place] ?? "", warn)];
  });
  if (skills.length > 0) parts.push(skillList(skills));
  if (index !== null) {
    parts.push(`# Memory: index.md\n\n${indexText(index, warn)}`);
  }
  return `${parts.join("\n\n---\n\n")}\n`;
}

/** A prompt is instruction, so it holds maintainers' words only; what others wrote comes in as the result of a tool. */
function indexText(index: MemoryDocument, warn: (text: string) => void): string {
  if (index.trust === "maintainer") return shortened(index.text.trim(), "index.md of the memory", warn);
  const why =
    index.trust === "public"
      ? "It holds text from the public internet"
      : "An instance, or somebody by hand, changed it after a maintainer did";
  warn(
    `index.md of the memory is not in the prompt: its trust is ${index.trust}. A maintainer who has read it vouches for it: ` +
      "`clawdinator memory write index.md --vouch`",
  );
  return `${why}, so it is not shown here; \`memory_read\` shows it.`;
}

function skillList(skills: Skill[]): string {
  const lines = skills.map(({ name, description }) => `- \`${name}\`: ${description.replace(/\s+/g, " ")}`);
  return `# Skills\n\nPlaybooks; \`skill_read\` gives one in full, as it is today.\n\n${lines.join("\n")}`;
}

/** Marks for programs and people are nothing to a model. */
function withoutComments(text: string): string {
  return text
    .replace(/<!--[\s\S]*?-->/g, "")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

function shortened(text: string, name: string, warn: (text: string) => void): string {
  if (text.length <= longestPart) return text;
  warn(`${name} has ${text.length} characters; a prompt takes the first ${longestPart}`);
  return `${text.slice(0, longestPart)}\n(The rest was left out: ${name} is too long.)`;
}
