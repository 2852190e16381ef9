// Package exchange moves batches and buffers between the tasks of a job: in
// one process by handing them over, between processes over TCP. It knows
// nothing of record types. Package taskmanager/worker is its only caller.
//
// A Network is the data plane of one worker process: a listener and a pool of
// network memory. A Session holds the channels of one attempt of a region of the
// job, which no channel leaves; a failover of the region opens a new session and
// closes the old one, so nothing of an older attempt can reach a newer one, and
// what other regions exchange goes on. In a session, a Gate is the receiving end of
// all channels of one task and Outputs the sending end.
//
// Connections: one per pair of workers and session. The worker with the
// smaller id dials, the other one waits; both know from the deployment that
// they have to. Channels are multiplexed over it and carry their name in every
// frame (see frame.go).
//
// Flow control: a sender needs a credit for each buffer, given by the
// receiver: 2 a channel (exclusive) and up to 8 more a gate (floating), moved
// to the channels that announce a backlog. A buffer without credit waits at its
// sender, at most 5 a task (overdraft). Batches of local channels count the
// same way. Events need no credit but keep their place behind data.
//
// Debloating: the receiver tells senders how much to put into a buffer (Writer.Limit,
// frameSize), so that what is in flight to a task is worth a time rather than a
// number of buffers (debloat.go; sizer is the pure core).
//
// Compression: both ends of a connection say in the hello what they read; each
// sends buffers as it is configured if the other reads that. The writer of a
// connection compresses, its reader decompresses, into network buffers. What does
// not become an eighth smaller goes as it is, like records larger than a buffer.
//
// Unaligned checkpoints: a barrier that overtakes goes before the buffers that
// wait for credit at the sender (Outputs.SendBarrier copies them), and is looked
// at by the gate when it comes in (aligner.announce), not when it is reached.
// The task then takes the checkpoint at once (Gate.Urgent, also while its output
// is blocked): what is queued ahead of the barriers belongs to it, and so does
// what comes on the other channels until theirs. On strict channels (GateInput
// without Overtakes) nothing is overtaken. With an AlignedTimeout the same
// happens when it has run out (Gate.Expire, Outputs.Overtake).
//
// Outputs need not be a task's: Serve sends what files hold, for tasks that have
// finished, from a goroutine of its caller's. Such channels take encoded records also
// when the receiver is in this process.
//
// Goroutines: the listener, one for each connection that is being accepted, a
// reader and a writer for each connection. Session.Close and Network.Close end
// them and wait.
//
// Locks, outer first: Session.mu; Gate.mu or Outputs.mu; conn.mu. No lock is
// held while the network is read or written.
//
// Invariants:
//
//	one-owner     who sends a batch or buffer gives it away; the gate gives it
//	              to the task until Gate.Done.
//	bounded       buffers in flight on a channel never exceed its credits by
//	              more than one jumbo buffer; a sender that sends more is cut off.
//	own-attempt   a connection belongs to one session and dies with it.
//	in-order      what is sent on a channel arrives in that order; only an
//	              unaligned barrier comes before records sent earlier, and those
//	              are all in its checkpoint: once, at the sender or the receiver.
package exchange
