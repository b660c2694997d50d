#!/usr/bin/env node
/** The command line. Only what every start needs is loaded here; each command loads its own. */
import { enableCompileCache } from "node:module";

enableCompileCache(process.env.NODE_COMPILE_CACHE);
const { runCommandLine } = await import("./cli/command-line.ts");
await runCommandLine(process.argv);
