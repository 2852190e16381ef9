package conf

import (
	"fmt"
	"strings"
)

// defaultTaskManagerProcess and defaultJobManagerProcess are the sizes of Flink's shipped configuration file. They stand in
// when nothing is configured, so that a cluster also starts without a configuration folder, where Flink refuses.
const (
	defaultTaskManagerProcess = 1728 * MB
	defaultJobManagerProcess  = 1600 * MB
)

// MemoryError is a memory configuration that does not add up.
type MemoryError struct {
	// Component is TaskManager or JobManager.
	Component string
	// Reason says what does not add up, with the figures.
	Reason string
	// Remedy says which keys to change, and how.
	Remedy string
}

// Error names the component, the figures and what to change.
func (e *MemoryError) Error() string {
	return fmt.Sprintf("%s memory: %s; %s", e.Component, e.Reason, e.Remedy)
}

// part is a named share of memory, for sums and their messages.
type part struct {
	key  string
	size Size
}

func sum(parts []part) Size {
	var total Size
	for _, p := range parts {
		if total > MaxSize-p.size {
			return MaxSize
		}
		total += p.size
	}
	return total
}

func describe(parts []part) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = fmt.Sprintf("%s %s", p.key, p.size)
	}
	return strings.Join(texts, " + ")
}

// bounded is a share given by a fraction within bounds.
type bounded struct {
	min, max    Size
	fraction    float64
	minKey      string
	maxKey      string
	fractionKey string
}

// newBounded reads the three keys of a share. Flink's fractions are 32-bit floats, and its figures show it: 0.4 of 1280 mb
// are 536870920 bytes there. To report the same figures the fraction is narrowed here too.
func newBounded(component string, c *Config, lo, hi Option[Size], fraction Option[float64]) (bounded, error) {
	b := bounded{min: lo.Get(c), max: hi.Get(c), fraction: narrow(fraction.Get(c)), minKey: lo.Key, maxKey: hi.Key, fractionKey: fraction.Key}
	if b.min > b.max {
		return b, &MemoryError{component, fmt.Sprintf("%s (%s) exceeds %s (%s)", b.minKey, b.min, b.maxKey, b.max), "set the minimum to at most the maximum"}
	}
	return b, nil
}

// narrow rounds a fraction to 32 bits.
func narrow(f float64) float64 { return float64(float32(f)) }

func (b bounded) clamp(s Size) Size { return max(b.min, min(b.max, s)) }

// of is the share of a whole that contains it.
func (b bounded) of(whole Size) Size { return b.clamp(whole.times(b.fraction)) }

// onTopOf is the share of a whole of which rest is what is left without it.
func (b bounded) onTopOf(rest Size) Size {
	if b.fraction >= 1 {
		return b.max
	}
	return b.clamp(rest.times(b.fraction / (1 - b.fraction)))
}

// check refuses a remainder outside the bounds.
func (b bounded) check(component, what string, s Size) error {
	if s >= b.min && s <= b.max {
		return nil
	}
	return &MemoryError{component, fmt.Sprintf("what is left for %s (%s) is outside of %s (%s) and %s (%s)", what, s, b.minKey, b.min, b.maxKey, b.max),
		"change these bounds or one of the sizes that are set"}
}

// processKeys are the keys around the Flink memory of a component.
type processKeys struct {
	component                 string
	process, flink, metaspace Option[Size]
	overheadMin, overheadMax  Option[Size]
	overheadFraction          Option[float64]
	legacySize                Option[Size]
	legacyMB                  Option[int]
	defaultProcess            Size
	innerFromFlink            func(*Config, Size) (inner, error)
	innerFromParts            func(*Config) (inner, bool, error)
}

// inner is what a component splits its Flink memory into.
type inner interface{ flinkSize() Size }

// outer is the memory around it.
type outer struct{ process, metaspace, overhead Size }

// processSize returns the configured process size, under its new or old names.
func (k processKeys) processSize(c *Config) (Size, bool) {
	if k.process.IsSet(c) {
		return k.process.Get(c), true
	}
	if k.flink.IsSet(c) {
		return 0, false // an old name must not contradict a new one
	}
	if k.legacySize.IsSet(c) {
		return k.legacySize.Get(c), true
	}
	if k.legacyMB.IsSet(c) {
		return Size(k.legacyMB.Get(c)) * MB, true
	}
	return 0, false
}

// derive runs the three ways to a budget in Flink's order: from the fine-grained sizes, from the Flink size, from the
// process size.
func (k processKeys) derive(c *Config) (inner, outer, error) {
	if err := k.malformed(c); err != nil {
		return nil, outer{}, err
	}
	in, complete, err := k.innerFromParts(c)
	if err != nil {
		return nil, outer{}, err
	}
	if !complete && k.flink.IsSet(c) {
		in, err = k.innerFromFlink(c, k.flink.Get(c))
		complete = true
	}
	if err != nil {
		return nil, outer{}, err
	}
	if complete {
		out, err := k.around(c, in.flinkSize())
		return in, out, err
	}
	process, ok := k.processSize(c)
	if !ok {
		process = k.defaultProcess
	}
	return k.fromProcess(c, process)
}

// malformed reports values the arithmetic would otherwise replace by their defaults.
func (k processKeys) malformed(c *Config) error {
	prefix := strings.ToLower(k.component) + "."
	for _, e := range sortedEntries() {
		memory := strings.HasPrefix(e.key, prefix+"memory.") || strings.HasPrefix(e.key, prefix+"heap.")
		if !memory && e.key != TaskManagerNumberOfTaskSlots.Key {
			continue
		}
		if err := e.check(c); err != nil {
			return err
		}
	}
	return nil
}

// around adds metaspace and overhead to a Flink size.
func (k processKeys) around(c *Config, flink Size) (outer, error) {
	b, err := newBounded(k.component, c, k.overheadMin, k.overheadMax, k.overheadFraction)
	if err != nil {
		return outer{}, err
	}
	out := outer{metaspace: k.metaspace.Get(c)}
	inside := []part{{k.flink.Key, flink}, {k.metaspace.Key, out.metaspace}}
	process, ok := k.processSize(c)
	if !ok {
		out.overhead = b.onTopOf(sum(inside))
		out.process = sum(append(inside, part{"overhead", out.overhead}))
		return out, nil
	}
	if sum(inside) > process {
		return outer{}, &MemoryError{k.component, fmt.Sprintf("%s = %s exceed %s (%s)", describe(inside), sum(inside), k.process.Key, process),
			fmt.Sprintf("set %s to at least %s, or leave one of the two sizes out", k.process.Key, sum(inside)+b.min)}
	}
	out.process, out.overhead = process, process-sum(inside)
	return out, b.check(k.component, "the overhead", out.overhead)
}

// fromProcess takes metaspace and overhead off the process size and splits the rest.
func (k processKeys) fromProcess(c *Config, process Size) (inner, outer, error) {
	b, err := newBounded(k.component, c, k.overheadMin, k.overheadMax, k.overheadFraction)
	if err != nil {
		return nil, outer{}, err
	}
	out := outer{process: process, metaspace: k.metaspace.Get(c), overhead: b.of(process)}
	taken := []part{{k.metaspace.Key, out.metaspace}, {"overhead", out.overhead}}
	if sum(taken) > process {
		return nil, outer{}, &MemoryError{k.component, fmt.Sprintf("%s = %s exceed %s (%s)", describe(taken), sum(taken), k.process.Key, process),
			fmt.Sprintf("raise %s, or lower %s and %s", k.process.Key, k.metaspace.Key, k.overheadMin.Key)}
	}
	in, err := k.innerFromFlink(c, process-sum(taken))
	return in, out, err
}
