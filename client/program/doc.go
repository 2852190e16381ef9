// Package program looks at job binaries before anything is started with them:
// Find tells what file is meant and whether it can be a job of ours here, Plan
// runs its plan role in two processes and compares the two graphs. The command
// line calls it (client/cli), and through it the deployment (client/yarn).
//
// Goroutines: a plan has one that feeds the child its Bootstrap and one that
// reads its result; both end with the child, and Plan waits for them.
//
// Invariants:
//   - checked-before-run: a file is executed only after its header and its
//     marker said that it is a job binary for this platform.
//   - bounded-child: what a child writes is bounded, its life too; when the
//     context ends it is killed and waited for.
package program
