// Package tmtest is what the tests of the task runtime and of the supervisor
// share: a JobManager that does what a test says (over real gRPC), and a
// program of hand-written chains, without package stream.
//
// Goroutines: those of the gRPC server; JM.Close ends them.
package tmtest
