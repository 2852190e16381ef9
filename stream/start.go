package stream

import "goflink/launch"

// Main runs a program: on this machine, or in the role that the process was
// started for. It does not return. build makes the graph, and nothing else: it
// runs in every process of the job and must do the same in each.
func Main(name string, build func(env *Env) error) {
	Register(name, build)
	Start()
}

// Start is Main for programs that were registered.
func Start() { launch.Main(registered) }
