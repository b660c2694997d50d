/** A loopback NFS mount with the options that EFS is mounted with, where this machine's kernel and user allow one. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** As docs of EFS recommend; `noresvport` is left out, since a loopback connection is never cut. */
const mountOptions = "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2";
const programs = ["exportfs", "rpc.mountd", "rpc.nfsd", "mount.nfs4"];

/** Runs a program; null on success, else why not. */
function run(program: string, ...parameters: string[]): string | null {
  const result = spawnSync(program, parameters, { encoding: "utf8", timeout: 30_000 });
  if (result.status === 0) return null;
  return `${program}: ${(result.error?.message ?? result.stderr.trim().split("\n").at(-1)) || `ended with ${result.status}`}`;
}

/** Why no NFS can be mounted here, or null when one can. */
function whyNoNfs(): string | null {
  if (process.getuid?.() !== 0) return "mounting needs root";
  for (const [filesystem, module] of [
    ["nfs4", "nfsv4"],
    ["nfsd", "nfsd"],
  ] as const) {
    const isKnown = (): boolean => new RegExp(`\\s${filesystem}$`, "m").test(readFileSync("/proc/filesystems", "utf8"));
    if (!isKnown()) run("modprobe", module);
    if (!isKnown()) return `this kernel has no ${filesystem}, and no module ${module} can be loaded`;
  }
  const missing = programs.filter((program) => spawnSync("which", [program]).status !== 0);
  return missing.length === 0 ? null : `${missing.join(", ")} missing (Debian: apt-get install nfs-kernel-server)`;
}

/** Exports a directory, mounts it again over NFS, and gives that to `work`. Returns why not, where it cannot be done. */
export async function overLoopbackNfs(
  directory: string,
  work: (mounted: string) => Promise<void>,
): Promise<string | null> {
  const why = whyNoNfs();
  if (why !== null) return why;
  const [exported, mounted] = [join(directory, "exported"), join(directory, "mounted")];
  mkdirSync(exported, { recursive: true });
  mkdirSync(mounted, { recursive: true });
  const client = `127.0.0.1:${exported}`;
  run("mount", "-t", "nfsd", "nfsd", "/proc/fs/nfsd");
  const failed =
    run("exportfs", "-i", "-o", "rw,sync,no_root_squash,no_subtree_check,insecure,fsid=7", client) ??
    run("rpc.mountd") ??
    run("rpc.nfsd", "8") ??
    run("mount", "-t", "nfs4", "-o", mountOptions, client, mounted);
  try {
    if (failed !== null) return failed;
    await work(mounted);
    return null;
  } finally {
    run("umount", "-f", mounted);
    run("exportfs", "-u", client);
  }
}
