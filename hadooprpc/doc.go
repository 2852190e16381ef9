// Package hadooprpc speaks Hadoop RPC version 9 to NameNodes, ResourceManagers and NodeManagers, reads Hadoop's
// configuration, and handles its tokens. Package yarnrpc builds typed YARN clients on it; package hdfsstore
// uses it for the NameNode calls and the authentication that its HDFS client lacks.
//
// From the bottom up:
//
//   - Session is one authenticated connection that passes frames: SIMPLE, TOKEN (DIGEST-MD5) or KERBEROS
//     (GSSAPI), with any quality of protection.
//   - Conn multiplexes calls over a Session, in any order of answers.
//   - Client keeps a Conn to the active one of several servers, and repeats calls with the same client and call
//     id, so that the NameNode's retry cache makes them happen once.
//
// Goroutines: a Conn has one that reads (and sends pings while calls wait); it ends when the connection ends,
// and Conn.Close waits for it. A Session and a Client have none. Watching a context during a hand-shake uses
// context.AfterFunc, which is undone before the function returns.
//
// Locks: Client.mu guards the current connection and address and is never held during I/O. Conn.mu guards the
// table of waiting calls; Conn.writeMu orders frames on the wire. writeMu may be held when mu is taken, never
// the reverse.
//
// Invariants, by name:
//
//   - bounded-frame: no length announced by a peer makes us take memory before its bytes arrive, and none above
//     128 MiB is accepted.
//   - wrapped-only: once a protection layer is agreed on, an unwrapped frame from the peer ends the connection.
//   - one-identity: a repeated call carries the client id and call id of its first attempt and a higher retry count.
//   - secret-free: neither errors nor logs hold token passwords, keys or SASL messages.
package hadooprpc
