// Package launch gives a job binary its roles: stream.Main calls Main, and the
// environment says what this process is (see package control). It ties the
// user's program to the JobManager and the workers; nothing else imports both.
//
//	(none)        run the job here: an embedded JobManager, a worker process
//	plan          build the graph, write the JobGraph to a pipe, stop
//	worker        rebuild the graph, run the tasks it is told to
//	coordinator   rebuild the graph, run its enumerators
//	taskmanager   a YARN container of a per-job or application cluster
//
// Main owns the process: it never returns. Its goroutines are those of the
// role it runs.
package launch
