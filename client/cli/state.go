package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"goflink/client/yarn"
	"goflink/conf"
	"goflink/hdfsstore"
	"goflink/jobmanager/inspect"
)

var stateOptions = []option{
	{long: "json", usage: "Print JSON."},
	{short: "D", takes: property, value: "property=value", usage: "Set any configuration key, over the configuration file."},
	verboseOption, helpOption,
}

const stateUsage = `list <folder> | show <path> | verify <path> | diff <path> <path>

  list     finds the checkpoints and savepoints in a folder and two levels below it
  show     shows what a checkpoint or savepoint holds: operators, states, key groups, sizes
  verify   reads all of its files and compares the checksums; exit code 1 if something is damaged or missing
  diff     tells which operators and states were added (+), removed (-) or changed (~) from the first to the second

  Paths are of the folder that holds _metadata; no cluster is needed.`

// errDamaged is the end of a verification that found something.
var errDamaged = &ExitError{Code: exitFailure, Quiet: true}

// stateAction is flink state: looking at checkpoints without a cluster.
func stateAction(c *command) error {
	verbs := map[string]struct {
		args int
		do   func(c *command, files *hdfsstore.Resolver, args []string) error
	}{"list": {1, stateList}, "show": {1, stateShow}, "verify": {1, stateVerify}, "diff": {2, stateDiff}}
	if len(c.args) == 0 {
		return argErrorf("Missing what to do: flink state list, show, verify or diff.")
	}
	v, ok := verbs[c.args[0]]
	if !ok {
		return argErrorf("%q is not something to do with state: list, show, verify or diff.", c.args[0])
	}
	if len(c.args)-1 != v.args {
		return argErrorf("flink state %s takes %d argument(s), not %d.", c.args[0], v.args, len(c.args)-1)
	}
	for _, p := range c.args[1:] {
		if _, err := target(p); err != nil {
			return err
		}
	}
	file, err := c.env.loadConf()
	if err != nil {
		return &ExitError{Code: exitBootstrap, Err: err}
	}
	dynamic, err := properties(c.opts)
	if err != nil {
		return err
	}
	files, err := yarn.OpenFiles(yarn.Options{Conf: conf.Merge(file, dynamic), Getenv: c.env.Getenv, Log: c.env.log})
	if err != nil {
		return err
	}
	defer files.Close()
	return v.do(c, files, c.args[1:])
}

// printJSON prints v when JSON is wanted, and tells whether it was.
func (c *command) printJSON(v any) (bool, error) {
	if !c.opts.Bool("json") {
		return false, nil
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return true, fmt.Errorf("printing JSON: %w", err)
	}
	c.printf("%s\n", b)
	return true, nil
}

func stateList(c *command, files *hdfsstore.Resolver, args []string) error {
	list, err := inspect.List(c.env.Interrupted, files, args[0])
	if err != nil {
		return err
	}
	if list == nil {
		list = []inspect.Entry{} // [] in JSON
	}
	if done, err := c.printJSON(list); done {
		return err
	}
	for _, e := range list {
		if e.Error != "" {
			c.printf("%s : damaged : %s\n", e.Path, e.Error)
			continue
		}
		c.printf("%s : %s %d of job %s : %s : %s in %d files\n", e.Path, e.Kind, e.ID, e.Job, e.Taken.Local().Format("02.01.2006 15:04:05"), size(e.Bytes), e.Files)
	}
	if len(list) == 0 {
		c.printf("No checkpoints or savepoints.\n")
	}
	return nil
}

func stateShow(c *command, files *hdfsstore.Resolver, args []string) error {
	done, err := inspect.Load(c.env.Interrupted, files, args[0])
	if err != nil {
		return err
	}
	s := inspect.Show(done)
	if done, err := c.printJSON(s); done {
		return err
	}
	c.printf("%s %d of job %s, taken %s, written by version %s\n%s\n%s in %d files\n", s.Kind, s.ID, s.Job, s.Taken.Local().Format("02.01.2006 15:04:05"), s.Version, s.Path, size(s.Bytes), len(s.Files))
	for i := range s.Operators {
		c.showOperator(&s.Operators[i])
	}
	return nil
}

func (c *command) showOperator(o *inspect.Operator) {
	uid := o.UID
	if uid == "" {
		uid = "none"
	}
	c.printf("\noperator %q\n  uid %s, id %s, in %q, parallelism %d of %d\n", o.Name, uid, o.ID, o.Vertex, o.Parallelism, o.MaxParallelism)
	if o.Finished > 0 {
		c.printf("  %d subtasks had finished\n", o.Finished)
	}
	if o.Coordinator > 0 {
		c.printf("  enumerator: %s\n", size(o.Coordinator))
	}
	if o.Key != "" {
		c.printf("  key: %s\n", o.Key)
	}
	for _, s := range o.States {
		c.printf("  state %q: %s", s.Name, strings.TrimSpace(s.Kind+" "+s.Type))
		if s.Items > 0 {
			c.printf(", %d items, %s", s.Items, size(s.Bytes))
		}
		c.printf("\n")
	}
	for _, k := range o.Keyed {
		c.printf("  subtask %d: key groups %s, %s, %s", k.Subtask+1, k.KeyGroups, k.Format, size(k.Bytes))
		if k.Tables > 0 {
			c.printf(" in %d tables", k.Tables)
		}
		if k.Shared > 0 {
			c.printf(", %s in shared files", size(k.Shared))
		}
		c.printf("\n")
	}
}

func stateVerify(c *command, files *hdfsstore.Resolver, args []string) error {
	done, err := inspect.Load(c.env.Interrupted, files, args[0])
	if err != nil {
		return err
	}
	r, err := inspect.Verify(c.env.Interrupted, files, done)
	if err != nil {
		return err
	}
	printed, err := c.printJSON(r)
	if err != nil {
		return err
	}
	if !printed {
		c.printDamages(r)
	}
	if len(r.Damages) > 0 {
		return errDamaged
	}
	return nil
}

func (c *command) printDamages(r *inspect.Report) {
	for _, d := range r.Damages {
		c.printf("DAMAGED %s, bytes %d to %d: %s; state of %s\n", d.Path, d.Offset, d.Offset+d.Length, d.Reason, strings.Join(d.Operators, ", "))
	}
	if len(r.Damages) > 0 {
		c.printf("%s is damaged: %d of %d parts.\n", r.Path, len(r.Damages), r.Extents)
		return
	}
	c.printf("%s is whole: %d files, %s read, all checksums match.\n", r.Path, r.Files, size(r.Bytes))
}

func stateDiff(c *command, files *hdfsstore.Resolver, args []string) error {
	var both [2]*inspect.Snapshot
	for i, p := range args {
		done, err := inspect.Load(c.env.Interrupted, files, p)
		if err != nil {
			return err
		}
		both[i] = inspect.Show(done)
	}
	changes := inspect.Diff(both[0], both[1])
	if changes == nil {
		changes = []inspect.Change{}
	}
	if done, err := c.printJSON(changes); done {
		return err
	}
	for _, d := range changes {
		c.printf("%s\n", d)
	}
	if len(changes) == 0 {
		c.printf("The same operators and states.\n")
	}
	return nil
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
}
