// Package lint holds the rules that this repository's code keeps, as tests:
// import direction, package comments, length of functions and files, owned
// goroutines, wrapped errors, documented configuration keys, formatting, and
// words that have no place in a repository.
//
// It contains tests only (go test ./internal/lint); make lint runs it beside
// gofmt, go vet and staticcheck. A rule reports every violation with its file
// and line, and says what to do instead. Exceptions are listed in tables with
// their reason, in the file of the rule.
package lint
