package yarn

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"goflink/client/clientlog"
	"goflink/conf"
	"goflink/yarnrpc"
)

// Shape is what a cluster asks YARN for.
type Shape struct {
	// MasterMB and TaskManagerMB are the container sizes in megabytes, as
	// configured: YARN rounds them up.
	MasterMB, TaskManagerMB int64
	// Slots of each TaskManager.
	Slots int
	// MasterVCores and TaskManagerVCores are the containers' cores.
	MasterVCores, TaskManagerVCores int
}

// String is the form in which Flink logs it.
func (s Shape) String() string {
	return fmt.Sprintf("ClusterSpecification{masterMemoryMB=%d, taskManagerMemoryMB=%d, slotsPerTaskManager=%d}", s.MasterMB, s.TaskManagerMB, s.Slots)
}

// shapeOf works out the containers' sizes.
func shapeOf(c *conf.Config) (Shape, error) {
	jm, errJM := conf.JobManagerMemory(c)
	tm, errTM := conf.TaskManagerMemory(c)
	if err := errors.Join(errJM, errTM); err != nil {
		return Shape{}, err
	}
	s := Shape{
		MasterMB: megabytes(jm.Process), TaskManagerMB: megabytes(tm.Process), Slots: conf.TaskManagerNumberOfTaskSlots.Get(c),
		MasterVCores: conf.YarnAppMasterVcores.Get(c), TaskManagerVCores: conf.YarnContainersVcores.Get(c),
	}
	if s.TaskManagerVCores < 1 {
		s.TaskManagerVCores = s.Slots
	}
	return s, nil
}

// message is an error in Flink's own words, which begin with a capital letter
// and end with a full stop.
type message struct {
	text string
	err  error
}

// Error is the text.
func (m *message) Error() string { return m.text }

// Unwrap returns the reason.
func (m *message) Unwrap() error { return m.err }

func sayf(format string, args ...any) error { return &message{text: fmt.Sprintf(format, args...)} }

// megabytes rounds up: a container may not be smaller than its process.
func megabytes(s conf.Size) int64 { return int64((s + conf.MB - 1) / conf.MB) }

// check compares the request with the cluster, in Flink's words.
func (d *Descriptor) check(ctx context.Context, s Shape, maximum yarnrpc.Resource) error {
	if err := d.checkQueue(ctx); err != nil {
		return err
	}
	if s.MasterVCores > int(maximum.VCores) {
		return sayf("The number of requested virtual cores for application master %d exceeds the maximum number of virtual cores %d available in the Yarn Cluster. Lower yarn.appmaster.vcores.", s.MasterVCores, maximum.VCores)
	}
	if s.TaskManagerVCores > int(maximum.VCores) {
		return sayf("The number of requested virtual cores per node %d exceeds the maximum number of virtual cores %d available in the Yarn Cluster. "+
			"Please note that the number of virtual cores is set to the number of task slots by default unless configured in the Flink config with 'yarn.containers.vcores.'", s.TaskManagerVCores, maximum.VCores)
	}
	const note = "Please check the 'yarn.scheduler.maximum-allocation-mb' and the 'yarn.nodemanager.resource.memory-mb' configuration values"
	for _, c := range []struct {
		who, key string
		mb       int64
	}{{"JobManager", conf.JobManagerProcessSize.Key, s.MasterMB}, {"TaskManagers", conf.TaskManagerProcessSize.Key, s.TaskManagerMB}} {
		if c.mb > maximum.MemoryMB {
			return sayf("The cluster does not have the requested resources for the %s available!\nMaximum Memory: %d Requested: %dMB. %s, or lower %s.",
				c.who, maximum.MemoryMB, c.mb, note, c.key)
		}
	}
	d.noteRounding("JobManager", s.MasterMB)
	d.noteRounding("TaskManager", s.TaskManagerMB)
	return d.checkNodes(ctx, s)
}

// checkQueue refuses a queue that there is not.
func (d *Descriptor) checkQueue(ctx context.Context) error {
	name := conf.YarnApplicationQueue.Get(d.o.Conf)
	if name == "" {
		return nil
	}
	queues, err := d.queues(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, q := range queues {
		if q.Name == name || q.Path == name {
			return nil
		}
		names = append(names, q.Name)
	}
	return sayf("The specified queue '%s' does not exist. Available queues: %s", name, strings.Join(names, ", "))
}

const minimumAllocationKey = "yarn.scheduler.minimum-allocation-mb"

// noteRounding tells that YARN gives more than asked for.
func (d *Descriptor) noteRounding(who string, mb int64) {
	step := int64(d.hadoop.Int(minimumAllocationKey, 1024))
	if step <= 0 || mb%step == 0 {
		return
	}
	given := (mb/step + 1) * step
	d.o.Console.Infof(clientlog.Descriptor, "The configured %s memory is %d MB. YARN will allocate %d MB to make up an integer multiple of its minimum allocation memory (%d MB, configured via '%s'). The extra %d MB may not be used by Flink.",
		who, mb, given, step, minimumAllocationKey, given-mb)
}

// checkNodes warns where no node can hold a container now.
func (d *Descriptor) checkNodes(ctx context.Context, s Shape) error {
	nodes, err := d.rm.Nodes(ctx)
	if err != nil {
		return err
	}
	if len(nodes) == 0 {
		d.o.Console.Warnf(clientlog.Descriptor, "No NodeManager is running at the ResourceManager %s: the application will wait until there is one.", d.rm.Addr())
		return nil
	}
	var free int64
	for _, n := range nodes {
		free = max(free, n.Capability.MemoryMB-n.Used.MemoryMB)
	}
	const later = "The Flink YARN client will try to allocate the YARN session, but maybe not all TaskManagers are connecting from the beginning because the resources are currently not available in the cluster. " +
		"The allocation might take more time than usual because the Flink YARN client needs to wait until the resources become available."
	if s.TaskManagerMB > free {
		d.o.Console.Warnf(clientlog.Descriptor, "The requested amount of memory for the TaskManagers (%dMB) is more than the largest possible YARN container: %d\n%s", s.TaskManagerMB, free, later)
	}
	if s.MasterMB > free {
		d.o.Console.Warnf(clientlog.Descriptor, "The requested amount of memory for the JobManager (%dMB) is more than the largest possible YARN container: %d\n%s", s.MasterMB, free, later)
	}
	return nil
}
