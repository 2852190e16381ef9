// Package metrics holds metric groups and scopes.
package metrics

// Group is a node of the tree of metric scopes.
type Group struct{}
