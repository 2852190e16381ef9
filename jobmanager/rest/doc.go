// Package rest is the JobManager's REST server: Flink's API (paths, fields, codes), the web page, and the way programs reach
// a cluster without a shared file system.
//
// Who calls it: the JobManager starts one Server and implements Cluster; clients use client/restclient, which shares the
// answer types. What the JobManager hands in is a small model (Job, CheckpointHistory, …); the answers, with their sums,
// quantiles and older spellings, are derived here, so that they are Flink's to the field.
//
// File map: cluster.go what the server consumes; model.go and checkpoint_model.go what it is given; types_*.go the answers;
// derive_*.go from one to the other; handle_*.go the requests by subject; operations.go asynchronous operations; programs.go
// the program store; web/ the page.
//
// Goroutines: one that serves, one per request (net/http), one per asynchronous operation under way. All belong to the
// Server and have ended when Close returns.
//
// Locks: operations.mu guards the table of asynchronous operations. Nothing is called under it.
//
// Invariants:
//   - bounded-body: no request body is read beyond its limit; a slow sender is cut off.
//   - verified: a program is stored only when its bytes have the digest it is stored under.
//   - proxied-changes: GET and PUT twins of changing requests, which YARN's proxy needs, are accepted from the proxy only.
//   - no-secrets: configuration is shown redacted; errors carry messages, no stacks of this process.
package rest
