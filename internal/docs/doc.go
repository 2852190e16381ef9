// Package docs holds the tests of the documentation: README.md, ARCHITECTURE.md,
// CHANGELOG.md and docs/. It contains nothing else.
//
// Always tested: links and their anchors resolve; Go blocks compile; names of
// package stream, configuration keys and -D settings exist and have an effect.
// With the build tag e2e the shell blocks run, on this host and on a real
// Hadoop cluster.
//
// Blocks say in their info string what they are:
//
//	go file=NAME        a file of the page's program, written where the shell stands
//	go                  declarations, or statements of a build function; a comment
//	                    <!-- with NAME TYPE, … --> above it declares what they use
//	sh run=local        runs as it is, in the order of the page, in one shell
//	sh run=standalone   the same, and starts a cluster on this host
//	sh run=yarn         the same, beside a Hadoop cluster
//	sh run=… fails      ends with another exit code than 0
//	sh run=no           is for reading
//	text                below a shell block: lines of its output, in this order; … is any text
package docs
