/**
 * Questions in other words than the notes', each with a phrase that stands in the note that answers it. They were
 * written and labelled before the search was measured with them, and the search was never adjusted to them.
 */
export const questions: [question: string, phrase: string][] = [
  // Numbers and bytes
  ["how do I order several byte arrays relative to one another", "typically for the purpose of sorting arrays of"],
  [
    "flip endianness of 32 bit words without copying",
    "as an array of unsigned 32-bit integers and swaps the byte order",
  ],
  ["is this value a buffer at all", "Returns `true` if `obj` is a `Buffer`, `false` otherwise"],
  ["piece of a blob from one offset to another", "containing a subset of this `Blob` objects data"],
  // Child processes and signals
  ["run a program without going through /bin/sh", "except that it does not spawn a shell by default"],
  [
    "translate a signal into the code a shell would report",
    "converts a signal name to its corresponding POSIX exit code",
  ],
  [
    "let the parent finish although its subprocess is still alive",
    "parent from waiting for a given `subprocess` to exit",
  ],
  ["did my kill reach the subprocess", "successfully received a signal from"],
  ["close the pipe between parent and child", "Closes the IPC channel between parent and child"],
  ["how are connections shared out among forked servers", "for round-robin or `cluster.SCHED_NONE`"],
  ["start another worker from the master", "This can only be called from the primary process"],
  // Cryptography
  ["compare two secrets safely against attackers who measure how long it takes", "constant-time algorithm"],
  ["make a random identifier that will not repeat", "version 4 UUID"],
  ["which digest functions does this build offer", "names of the supported hash algorithms"],
  ["turn a password into a key by many iterations", "asynchronous Password-Based Key Derivation Function 2"],
  ["how much RAM should argon take", "REQUIRED, memory cost in 1KiB blocks"],
  [
    "does the certificate belong to this mail address",
    "Checks whether the certificate matches the given email address",
  ],
  ["verify that an X509 cert was issued for an IP", "Checks whether the certificate matches the given IP address"],
  ["export a secret and encrypt it in one step", "exporting and then encrypting the keying material"],
  ["random integer within a range without bias", "implementation avoids [modulo bias]"],
  ["which elliptic curves can be used", "array with the names of the supported elliptic curves"],
  ["turn on FIPS mode", "Enables the FIPS compliant crypto provider"],
  // Datagrams and names
  ["send udp to everybody on the local subnet", "SO_BROADCAST"],
  ["how many routers may a multicast packet cross", "Sets the `IP_MULTICAST_TTL` socket option"],
  ["join a multicast group", "IP_ADD_MEMBERSHIP"],
  ["which mail servers accept messages for a domain", "Uses the DNS protocol to resolve mail exchange records"],
  [
    "reverse lookup: from an address to a host name",
    "Performs a reverse DNS query that resolves an IPv4 or IPv6 address",
  ],
  ["see which resolvers are in use right now", "that are currently configured for DNS resolution"],
  ["give up on all name queries that are still running", "Cancel all outstanding DNS queries made by this resolver"],
  // Events
  [
    "warning about a memory leak because of too many handlers",
    "By default `EventEmitter`s will print a warning if more than `10` listeners",
  ],
  ["handler that only fires the first time", "Adds a **one-time** `listener` function for the event named"],
  ["drop every handler of an emitter", "Removes all listeners, or those of the specified `eventName`"],
  ["put a handler before the others", "listener` function to the _beginning_ of the listeners array"],
  ["how many handlers does an event have", "Returns the number of listeners listening for the event named"],
  // Files
  [
    "move a file; what happens when the target is there",
    "In the case that `newPath` already exists, it will be overwritten",
  ],
  ["temp folder with a random suffix", "Creates a unique temporary directory"],
  ["is it a good idea to test for existence before opening a file", "check for the existence of a file before calling"],
  [
    "does the user have the right to read this path",
    "Tests a user's permissions for the file or directory specified by",
  ],
  [
    "flush everything to the disk so a power cut loses nothing",
    "Request that all data for the open file descriptor is flushed",
  ],
  ["chop a file to a given length", "Truncates the file descriptor. No arguments other than a possible exception"],
  [
    "delete a folder with all its contents like rm -rf",
    "Synchronously removes files and directories (modeled on the standard POSIX",
  ],
  ["how much room is left on the disk", "Returns information about the mounted file system which contains"],
  [
    "follow symlinks to find the true location of a path",
    "Asynchronously computes the canonical pathname by resolving",
  ],
  [
    "keep a directory watcher from holding the process open",
    "When called, the active `fs.FSWatcher` object will not require the Node.js",
  ],
  [
    "copy a tree but leave some files out",
    "Function to filter out files/directories or a list of glob patterns to be excluded",
  ],
  ["find files by a wildcard pattern", "Retrieves the files matching the specified pattern"],
  ["where does a symbolic link lead", "Reads the contents of the symbolic link referred to by"],
  [
    "poll a file for modifications every so often",
    "Watch for changes on `filename`. The callback `listener` will be called each time the file is accessed",
  ],
  ["set access and modification dates", "Change the file system timestamps of the object referenced by `path`"],
  // HTTP
  ["client is too slow sending its request and gets 408", "for receiving the entire request from the client"],
  ["upper bound on connections across every host", "Maximum number of sockets allowed for all hosts in total"],
  [
    "shut down only connections nobody is using",
    "Closes all connections connected to this server which are not sending a request or waiting for a response",
  ],
  ["largest permitted size of request headers", "maximum allowed size of HTTP headers in bytes"],
  ["tell the browser early which assets to preload", "103 Early Hints"],
  [
    "server closes idle socket just as client reuses it",
    "This buffer helps ensure the agent closes the socket slightly before the server does",
  ],
  ["push a resource to the http2 client before it asks", "Initiates a push stream"],
  [
    "gracefully stop an http2 session",
    "Gracefully closes the `Http2Session`, allowing any existing streams to complete",
  ],
  ["check that the other side of an http2 connection is alive", "Sends a `PING` frame to the connected HTTP/2 peer"],
  // Sockets
  ["disable Nagle so small packets leave at once", "Nagle's algorithm"],
  ["forbid a whole CIDR network", "Adds a rule to block a range of IP addresses specified as a subnet mask"],
  ["is this string an ip and of which version", "Returns `6` if `input` is an IPv6 address"],
  ["slam a connection shut with RST", "by sending an RST packet and destroy the stream"],
  ["mark traffic as high priority for routers", "This can be used to prioritize network traffic"],
  [
    "close an unused tcp connection after a while",
    "Sets the socket to timeout after `timeout` milliseconds of inactivity",
  ],
  // The machine
  [
    "how many threads should my program start on this machine",
    "estimate of the default amount of parallelism a program should use",
  ],
  ["system load over one, five and fifteen minutes", "array containing the 1, 5, and 15 minute load averages"],
  ["make a process nicer", "Attempts to set the scheduling priority for the process specified by"],
  ["home folder of whoever runs this", "Returns the string path of the current user's home directory"],
  ["get the last part of a path", "Return the last portion of a path"],
  ["how to go from one folder to another with dots", "Solve the relative path from"],
  ["is the event loop blocked; how long are its delays", "samples and reports the event loop delay"],
  ["terminate at once with a status code", "instructs Node.js to terminate the process synchronously with an exit"],
  ["drop root by becoming another user", "sets the user identity of the process"],
  ["swap the running program for another like exec in C", "Replaces the current process with a new process"],
  ["what is the peak memory that the process ever used", "maxRSS: 33164"],
  [
    "abort the process and leave a core dump",
    "causes the Node.js process to exit immediately and generate a core file",
  ],
  // Reading lines, terminals
  [
    "ask the person at the terminal something and wait for the answer",
    "displays the `query` by writing it to the `output`",
  ],
  [
    "prevent repeated entries in the line history",
    "duplicates an older one, this removes the older line from the list",
  ],
  [
    "how wide is the terminal and can it show colour",
    "Returns `true` if the `writeStream` supports at least as many colors as provided",
  ],
  ["wipe the line the cursor is in", "clears the current line of this `WriteStream` in a direction"],
  [
    "bundle my script into one binary: read files packed in it",
    "can be used to retrieve the assets configured to be bundled into the single-executable application",
  ],
  // Databases
  ["back up a sqlite file while it is in use", "makes a database backup"],
  [
    "integers too big for a double from a query",
    "SQLite `INTEGER`s can store values larger than JavaScript numbers are capable of",
  ],
  ["id of the row that was just added", "The most recently inserted rowid"],
  ["define my own function to call from SQL", "This method is used to create SQLite user-defined functions"],
  ["allow a plugin library to be loaded into sqlite", "Loads a shared library into the database connection"],
  [
    "wait instead of failing when another connection holds the lock",
    "the maximum amount of time that SQLite will wait for a database lock to be released",
  ],
  ["enforce references between tables", "If `true`, foreign key constraints are enabled"],
  // Streams
  ["collect many small writes and send them together", "forces all written data to be buffered in memory"],
  ["connect streams and clean up on error", "A module method to pipe between streams and generators forwarding errors"],
  [
    "put data back in front of the queue",
    'This is useful in certain situations where a stream is being consumed by code that needs to "un-consume"',
  ],
  ["stop a stream when a signal fires", "Attaches an AbortSignal to a readable or writeable stream"],
  ["know when a stream ended or broke", "get notified when a stream is no longer readable, writable"],
  // Tests and assertions
  ["pretend time has passed in a unit test", "Advances time for all mocked timers"],
  [
    "how often was the fake function called",
    "This function returns the number of times that this mock has been invoked",
  ],
  [
    "make a test fail if it does not run as many assertions as planned",
    "number of assertions and subtests that are expected to run within the test",
  ],
  ["assert that a promise fails", "It will then check that the promise is rejected"],
  ["text must match a regex or the check throws", "Expects the `string` input to match the regular expression"],
  // TLS
  ["refuse old protocol versions", "Optionally set the minimum TLS version to allow"],
  [
    "choose the certificate by the host name that the client asks for",
    "A function that will be called if the client supports SNI TLS extension",
  ],
  [
    "why was the other side's certificate not trusted",
    "Returns the reason why the peer's certificate was not been verified",
  ],
  ["handshake takes too long: cut it off", "handshake does not finish in the specified number of milliseconds"],
  // URLs and utilities
  [
    "turn a file path into a file:// address",
    "URL control characters are correctly encoded when converting into a File URL",
  ],
  [
    "domain in unicode to xn-- form",
    "[Punycode](https://tools.ietf.org/html/rfc5891#section-4.4) ASCII serialization of the",
  ],
  ["remove colour codes from terminal output", "with any ANSI escape codes removed"],
  [
    "callback style function to one returning a promise",
    "Takes a function following the common error-first callback style",
  ],
  ["deep equality of two objects as boolean", "if there is deep strict equality between"],
  ["mark an API as obsolete so callers get told once", "in such a way that it is marked as deprecated"],
  [
    "parse command line flags with the standard library",
    "Provides a higher level API for command-line argument parsing",
  ],
  // Engines and threads
  ["dump the heap to a file for devtools", "Generates a snapshot of the current V8 heap and writes it to a JSON"],
  ["make eval impossible in a sandbox", "any calls to eval or function constructors"],
  ["stop a thread as soon as possible", "Stop all JavaScript execution in the worker thread as soon as possible"],
  ["checksum with crc", "Computes a 32-bit [Cyclic Redundancy Check]"],
  // Browser
  ["act as if the phone had no network", "Whether to emulate network being offline"],
  [
    "take a picture of the whole page including what is below the fold",
    "takes a screenshot of the full scrollable page",
  ],
  [
    "log in once and reuse the cookies in other tests",
    "Returns storage state for this browser context, contains current cookies",
  ],
  ["choose something in a drop-down list", "Selects option or options in `<select>`"],
  ["upload a document through a form", "Sets the value of the file input to these file paths or files"],
  [
    "press and move the mouse to drop one element onto another",
    "This method drags the locator to another target locator",
  ],
  ["answer a request with a made-up response", "Fulfills route's request with given response"],
  ["print the page as a pdf", "Returns the PDF buffer"],
  ["pretend to be in another place on earth", "Sets the context's geolocation"],
  [
    "slow the robot down so that I can watch",
    "Slows down Playwright operations by the specified amount of milliseconds",
  ],
  // Command lines and git
  ["an option that may be given many values", "You may make an option variadic by appending"],
  ["stop npm from eating my program's flags", "By default, when you call your program using `run-script`"],
  [
    "show usage when the user mistyped",
    "The default behaviour for usage errors is to just display a short error message",
  ],
  ["what is the difference between ~1.2.3 and exact", "Allows patch-level changes if a minor version is specified"],
  ["detect dead websocket peers", "How to detect and close broken connections"],
  ["unpack an archive but lose the leading folders", "Remove the specified number of leading path elements"],
  ["outgoing requests through a corporate proxy", "Example - Basic Proxy Request with global agent dispatcher"],
  ["try again after a failed request, with growing pauses", "Maximum number of milliseconds to wait before retrying"],
];
