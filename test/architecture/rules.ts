/** Which way imports may point. */
import { findCycles, findPath, type ImportGraph } from "./import-graph.ts";

interface Edge {
  from: string;
  to: string;
  isTypeOnly: boolean;
}

/** SDKs of clouds, chats and hosts belong to the gateway's side. */
const gatewaySdk = /^(@aws-sdk\/|@smithy\/|@octokit\/|octokit$|discord\.js$|@discordjs\/)/;
const modelSdk = /^(openai|@anthropic-ai)(\/|$)/;
const lit = /^(lit|@lit|lit-html|lit-element|@lit-labs)(\/|$)/;

const isBelow = (folder: string) => (path: string) => path.startsWith(`${folder}/`);
const isMind = isBelow("agent/mind");
const isGateway = isBelow("agent/gateway");
const isPage = isBelow("agent/console/pages");
const isMemory = isBelow("memory");
const isTool = isBelow("tools");
const isTest = isBelow("test");
const isOurs = (path: string): boolean => /^(agent|bootstrap|docs|memory|test|tools)\//.test(path);
/** `agent/config.ts` and its neighbours, which both processes use; `agent/main.ts` is the command line. */
const isShared = (path: string): boolean => /^agent\/[^/]+\.ts$/.test(path) && path !== "agent/main.ts";

/**
 * One sentence for each import that points the wrong way, naming both files. `toolFiles` are the files that define a
 * tool.
 */
export function findViolations(graph: ImportGraph, toolFiles: Set<string>): string[] {
  const edges: Edge[] = [...graph].flatMap(([from, imports]) =>
    imports.map(({ specifier, isTypeOnly }) => ({ from, to: specifier, isTypeOnly })),
  );
  const broken: string[] = [];
  const forbid = (reason: string, breaks: (edge: Edge) => boolean): void => {
    for (const edge of edges.filter(breaks)) broken.push(`${edge.from} imports ${edge.to}: ${reason}`);
  };

  forbid(
    "memory imports nothing of ours outside memory",
    ({ from, to }) => isMemory(from) && isOurs(to) && !isMemory(to),
  );
  forbid(
    "tools import only tools and memory",
    ({ from, to }) => isTool(from) && isOurs(to) && !isTool(to) && !isMemory(to),
  );
  forbid(
    "a tool does not import another tool; what both need lies beneath them",
    ({ from, to }) => toolFiles.has(from) && toolFiles.has(to),
  );
  forbid(
    "mind and gateway never import each other",
    ({ from, to }) => (isMind(from) && isGateway(to)) || (isGateway(from) && isMind(to)),
  );
  forbid(
    "a file that mind and gateway share imports neither",
    ({ from, to }) => isShared(from) && (isMind(to) || isGateway(to)),
  );
  forbid(
    "the loop imports no SDK",
    ({ from, to }) => from === "agent/mind/loop.ts" && (modelSdk.test(to) || gatewaySdk.test(to)),
  );
  forbid(
    "a page loads only lit and its own files; others give it types",
    ({ from, to, isTypeOnly }) => isPage(from) && !isTypeOnly && !isPage(to) && !lit.test(to),
  );
  forbid("the program does not import its tests", ({ from, to }) => !isTest(from) && isTest(to));

  const forbidReach = (reason: string, start: (file: string) => boolean, end: (to: string) => boolean): void => {
    for (const from of [...graph.keys()].filter(start)) {
      const path = findPath(graph, from, end);
      // A direct import has been told above where it is forbidden by itself.
      if (path && (path.length > 2 || !isOurs(path.at(-1) ?? "")))
        broken.push(`${from} reaches ${path.at(-1)} (${path.join(" → ")}): ${reason}`);
    }
  };
  forbidReach("nothing that the mind loads may load an SDK of a cloud, chat or host", isMind, (to) =>
    gatewaySdk.test(to),
  );
  forbidReach("mind and gateway never import each other", isMind, isGateway);
  forbidReach("mind and gateway never import each other", isGateway, isMind);

  for (const cycle of findCycles(graph)) {
    broken.push(`${[...cycle, cycle[0]].join(" → ")}: an import cycle`);
  }
  return broken;
}
