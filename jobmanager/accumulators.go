package jobmanager

import (
	"maps"
	"slices"

	"goflink/jobmanager/execution"
	"goflink/jobmanager/rest"
	"goflink/metrics/accumulator"
)

// accumulators merges those of the current attempts of tasks; what an attempt
// before counted does not count. vertex restricts it to one, "" does not.
func (m *master) accumulators(vertex string) map[string]accumulator.Value {
	out := map[string]accumulator.Value{}
	for _, e := range m.exec.Tasks() {
		if vertex != "" && e.Vertex.ID != vertex {
			continue
		}
		for name, v := range m.counted(e) {
			old, ok := out[name]
			if !ok {
				out[name] = v
				continue
			}
			merged, err := old.Merge(v)
			if err != nil { // the graph was checked for it: a bug of ours
				m.log.Warn("An accumulator cannot be merged", "accumulator", name, "error", err)
				continue
			}
			out[name] = merged
		}
	}
	return out
}

// counted are the accumulators of one execution, nil before its first report.
func (m *master) counted(e *execution.Execution) map[string]accumulator.Value {
	if f := m.figures[e.ID()]; f != nil && f.attempt == e.Attempt {
		return f.accumulators
	}
	return nil
}

// shown are accumulators as Flink's REST answers show them.
func shown(values map[string]accumulator.Value) []rest.Accumulator {
	var out []rest.Accumulator
	for _, k := range slices.Sorted(maps.Keys(values)) {
		out = append(out, rest.Accumulator{Name: k, Type: values[k].Kind().String(), Value: values[k].Text()})
	}
	return out
}

// results are accumulators as part of a job's result, which flink run prints.
func results(values map[string]accumulator.Value) []rest.Accumulator {
	var out []rest.Accumulator
	for _, k := range slices.Sorted(maps.Keys(values)) {
		out = append(out, rest.Accumulator{Name: k, Type: values[k].ResultClass(), Value: values[k].ResultText()})
	}
	return out
}
