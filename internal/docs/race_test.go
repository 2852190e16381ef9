//go:build race

package docs

const race = true
