// Package restclient speaks to a JobManager's REST server: submission, upload of programs, jobs, savepoints, the cluster.
//
// Who calls it: the command line and the cluster descriptors. The types of answers are those of package jobmanager/rest.
//
// A Client may be used by many goroutines at once; it starts none and has no locks. Every method returns when its context
// ends.
//
// Invariants:
//   - once: a request that is repeated after a lost connection has no second effect. Triggers carry an id of the client's,
//     jobs their job id, programs their digest.
//   - bounded: no more of an answer is read than rest.client.max-content-length.
//   - answer-or-silence: a *StatusError is what the server said; any other error says that it could not be asked.
package restclient
