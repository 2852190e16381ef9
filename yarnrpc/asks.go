package yarnrpc

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	pb "goflink/hadooprpc/proto/yarnproto"
)

// ask is what is still wanted under one priority.
type ask struct {
	resource Resource
	count    int
}

// ledger is the book of absolute asks and of releases: pure bookkeeping, without lock or I/O. One priority
// stands for one worker profile, so that an allocated container can be told apart by its priority even where
// the scheduler rounds its resource up.
type ledger struct {
	wanted  map[int32]ask           // by priority; what is still to come
	dirty   map[int32]bool          // totals that the ResourceManager does not know yet
	stale   []staleAsk              // asks under a former resource of a priority, to be set to zero
	release map[ContainerID]release // releases that are not known to be carried out
}

type staleAsk struct {
	priority int32
	resource Resource
}

type release struct{ sent bool }

func newLedger() *ledger {
	return &ledger{wanted: map[int32]ask{}, dirty: map[int32]bool{}, release: map[ContainerID]release{}}
}

// set states the total still wanted under a priority.
func (l *ledger) set(priority int32, r Resource, count int) {
	old, ok := l.wanted[priority]
	if ok && old.resource == r && old.count == count {
		return
	}
	if !ok && count == 0 {
		return
	}
	if ok && old.resource != r && old.count > 0 {
		l.stale = append(l.stale, staleAsk{priority, old.resource})
	}
	l.wanted[priority] = ask{resource: r, count: count}
	l.dirty[priority] = true
}

// received takes an allocated container off its ask, as the ResourceManager did. More containers than asked for
// leave the total at zero.
func (l *ledger) received(priority int32) {
	a, ok := l.wanted[priority]
	if !ok || a.count == 0 {
		return
	}
	a.count--
	l.wanted[priority] = a
}

// outstanding is the total still wanted under a priority.
func (l *ledger) outstanding(priority int32) int { return l.wanted[priority].count }

// giveBack adds a container to the releases.
func (l *ledger) giveBack(id ContainerID) {
	if _, ok := l.release[id]; !ok {
		l.release[id] = release{}
	}
}

// completed forgets the release of a container that has ended.
func (l *ledger) completed(id ContainerID) { delete(l.release, id) }

// take gives what the next heartbeat sends, and takes it as known from then on.
func (l *ledger) take() (asks []*pb.ResourceRequestProto, releases []*pb.ContainerIdProto) {
	for _, s := range l.stale {
		asks = append(asks, requestProto(s.priority, ask{resource: s.resource}))
	}
	for _, p := range slices.Sorted(maps.Keys(l.dirty)) {
		asks = append(asks, requestProto(p, l.wanted[p]))
	}
	l.stale = nil
	clear(l.dirty)
	for _, id := range sortedIDs(l.release) {
		if !l.release[id].sent {
			releases = append(releases, containerIDToProto(id))
			l.release[id] = release{sent: true}
		}
	}
	return asks, releases
}

// resync makes everything be sent again, to a ResourceManager that has forgotten us.
func (l *ledger) resync() {
	l.stale = nil
	for p, a := range l.wanted {
		if a.count > 0 {
			l.dirty[p] = true
		}
	}
	for id := range l.release {
		l.release[id] = release{}
	}
}

func sortedIDs(m map[ContainerID]release) []ContainerID {
	return slices.SortedFunc(maps.Keys(m), compareContainerIDs)
}

func compareContainerIDs(a, b ContainerID) int {
	switch {
	case a.ID < b.ID:
		return -1
	case a.ID > b.ID:
		return 1
	}
	return int(a.Attempt.Attempt - b.Attempt.Attempt)
}

// requestProto asks for containers anywhere in the cluster.
func requestProto(priority int32, a ask) *pb.ResourceRequestProto {
	return &pb.ResourceRequestProto{
		Priority: &pb.PriorityProto{Priority: proto.Int32(priority)}, ResourceName: proto.String("*"),
		Capability: resourceToProto(a.resource), NumContainers: proto.Int32(int32(a.count)), RelaxLocality: proto.Bool(true),
		ExecutionTypeRequest: &pb.ExecutionTypeRequestProto{
			ExecutionType: pb.ExecutionTypeProto_GUARANTEED.Enum(), EnforceExecutionType: proto.Bool(true),
		},
	}
}
