// Package yarnrpc holds YARN's records and typed clients for its three protocols: Client talks to the
// ResourceManager for users, AM for ApplicationMasters, NM to NodeManagers. Package client submits applications
// with it, package appmaster runs them. The wire is hadooprpc's; generated messages do not leave this package.
//
// Goroutines: none of its own; connections have theirs (see hadooprpc). All clients are safe for concurrent use,
// but one caller at a time makes heartbeats (AM.Allocate, AM.Finish).
//
// Locks: AM.mu guards asks, releases, response id, tokens; it is not held during calls. AM.beatMu makes
// heartbeats one after the other and is taken before mu.
//
// Invariants, by name:
//
//   - absolute-asks: an ask is the total that is still wanted under its priority. The ledger mirrors the
//     ResourceManager's count: it goes down with each container received, and only totals that differ are sent.
//   - same-beat: a heartbeat whose answer was lost is sent again unchanged, with the same response id, before
//     anything new, because the ResourceManager answers a repeated id from memory without looking at its content.
//   - token-needed: containers are started and stopped with the NMToken of their node only; tokens are replaced
//     when the ResourceManager sends newer ones.
package yarnrpc
