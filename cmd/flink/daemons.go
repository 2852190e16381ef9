package main

import "goflink/client/cli"

// daemons are the long-lived roles by the name of their command.
var daemons = map[string]cli.Daemon{}
