// Package cli is the command line of bin/flink: what Flink's users type, what
// their wrappers match, and the exit codes they test. It owns the options
// (options.go), the way they are written (normalize.go), their order of
// precedence (settings.go), the lines of each action and the form of errors
// (errors.go). cmd/flink calls Main and exits with what it returns.
//
// The work is done by the packages it calls: client/program looks at job
// binaries and plans them, client/yarn deploys and finds clusters on YARN,
// client/restclient speaks to a JobManager, client/clientlog prints the lines of its log that wrappers match.
//
// Goroutines: an attached run starts one that sends heartbeats, and waits for
// it; all else happens in the caller's goroutine. Locks: none.
//
// Invariants:
//   - args-on-stdout: a wrong command line is told on standard output and ends
//     with the hint about -h; whatever goes wrong later is told on standard
//     error under the dashes. Both give exit code 1.
//   - nothing-started: what can be known to be wrong from the command line and
//     the files it names is said before a cluster is asked for anything.
package cli
