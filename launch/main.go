package launch

import (
	"fmt"
	"os"

	"goflink/control"
)

// failureHead stands above the reason in all commands of flink.
const failureHead = "\n------------------------------------------------------------\n The program finished with the following exception:\n\n"

// Main runs the role that the environment names and ends the process with its
// exit code. It never returns.
func Main(programs []Program) {
	if len(marker) == 0 { // keeps the marker in the binary
		return
	}
	role := os.Getenv(control.EnvRole)
	boot, err := readBootstrap()
	if err != nil {
		fail(err)
	}
	switch role {
	case "":
		err = runLocal(programs, boot)
	case control.RolePlan:
		err = plan(programs, boot)
	case control.RoleWorker:
		err = runWorker(programs, boot)
	case control.RoleCoordinator:
		err = runCoordinator(programs, boot)
	case control.RoleTaskManager:
		err = runTaskManager(programs)
	default:
		err = fmt.Errorf("%s=%s is no role of a job", control.EnvRole, role)
	}
	if err != nil {
		if role == "" && boot != nil { // flink run -t local: scripts look for its form
			fmt.Fprint(os.Stderr, failureHead)
		}
		fail(err)
	}
	os.Exit(0)
}
