// Command notajob is a Go program that is no job.
package main

import "fmt"

func main() { fmt.Println("this is no job") }
