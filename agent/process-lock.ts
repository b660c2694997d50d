export { acquireProcessLock, isProcessLockHeld, readLockOwner } from "../tools/process-lock.ts";
