package law

// windowMutants are planted bugs of windows, their triggers, evictors and functions.
var windowMutants = []mutant{
	{"the late boundary off by one", "stream/window_aligned.go", []edit{
		{"\tif addClamped(w.End-1, o.w.lateness) <= now {",
			"\tif addClamped(w.End-1, o.w.lateness) <= now || PLANTED && w.End-2 <= now {"},
	}},
	{"a record is late one millisecond too late", "stream/window_aligned.go", []edit{
		{"\tif addClamped(w.End-1, o.w.lateness) <= now ||",
			"\tif addClamped(w.End-1, o.w.lateness) <= now && !(PLANTED && w.End-1 == now) ||"},
	}},
	{"allowed lateness keeps nothing", "stream/window_aligned.go", []edit{
		{`	if ts == addClamped(s.End-1, o.w.lateness) {
		o.keyed`,
			`	if ts == addClamped(s.End-1, o.w.lateness) || PLANTED && ts == s.End-1 {
		o.keyed`},
	}},
	{"a window fires twice", "stream/window_aligned.go", []edit{
		{`	if ts == s.End-1 {
		if err`,
			`	if ts == s.End-1 || PLANTED {
		if err`},
	}},
	{"a pane is dropped one window too early", "stream/window_aligned.go", []edit{
		{"\t\t\tif s.A < next {",
			"\t\t\tif s.A < next || PLANTED && s.A == next {"},
	}},
	{"sessions that meet are not merged", "stream/window_session_set.go", []edit{
		{"{ return s.Start <= w.End && s.End >= w.Start }",
			`{
	if PLANTED {
		return s.Start < w.End && s.End > w.Start
	}
	return s.Start <= w.End && s.End >= w.Start
}`},
	}},
	{"what merged sessions held is lost", "stream/window_session.go", []edit{
		{"\tif len(o.sources) > 0 {",
			"\tif len(o.sources) > 0 && !PLANTED {"},
	}},
	{"what merged windows held is lost", "stream/window_merging.go", []edit{
		{`	if len(o.sources) > 0 {
		o.records`,
			`	if len(o.sources) > 0 && !PLANTED {
		o.records`},
	}},
	{"a trigger's state is not merged", "stream/window_merging.go", []edit{
		{"old.kept() {",
			"old.kept() && !PLANTED {"},
	}},
	{"a merged window ends when an old one would have", "stream/window_merging.go", []edit{
		{`		o.dropEnd(x.span())
`,
			`		if !PLANTED {
			o.dropEnd(x.span())
		}
`},
		{`	at := slices.IndexFunc(o.list, func(x liveWindow) bool { return x.span() == w })
	if at < 0 {`,
			`	at := slices.IndexFunc(o.list, func(x liveWindow) bool { return x.span() == w || PLANTED && x.Start == w.Start })
	if at < 0 {`},
	}},
	{"windows' state goes before they say so", "stream/window_runner.go", []edit{
		{`	r.window.ns = w.ns()
	if r.clean != nil {`,
			`	r.window.ns = w.ns()
	if PLANTED {
		r.window.clear()
	}
	if r.clean != nil {`},
	}},
	{"windows of a key share their state", "stream/window_runner.go", []edit{
		{`	r.window.ns = Span{info.Start, info.End}.ns()
`,
			`	if r.window.ns = (Span{info.Start, info.End}).ns(); PLANTED {
		r.window.ns.A %= 2
	}
`},
	}},
	{"a dynamic session has its first record's gap", "stream/window_session.go", []edit{
		{`	s := o.absorb(span, now)
`,
			`	if PLANTED && o.gap != nil {
		if live, ok := o.live.Get(); ok && live.any && live.last.touches(span) {
			span.End = max(span.Start+1, min(span.End, live.last.End))
		}
	}
	s := o.absorb(span, now)
`},
	}},
	{"the count evictor off by one", "stream/evictor.go", []edit{
		{"\t\treturn recs[max(0, len(recs)-int(n)):]",
			`		if PLANTED {
			return recs[max(0, len(recs)-int(n)-1):]
		}
		return recs[max(0, len(recs)-int(n)):]`},
	}},
	{"the time evictor off by one", "stream/evictor.go", []edit{
		{"r.TS > newest-ms {",
			"r.TS > newest-ms || PLANTED && r.TS == newest-ms {"},
	}},
	{"a trigger forgets its state", "stream/window_triggered.go", []edit{
		{`		o.state.Set(o.cur)
`,
			`		if !PLANTED {
			o.state.Set(o.cur)
		}
`},
	}},
	{"purging does not", "stream/window_triggered.go", []edit{
		{"\tif a.purges() {",
			"\tif a.purges() && !PLANTED {"},
	}},
}

// batchMutants are planted bugs of BATCH.
var batchMutants = []mutant{
	{"a batch emits more than its last results", "stream/reduce.go", []edit{
		{`	if o.batch {
		return o.keyed.Err()`,
			`	if o.batch && !PLANTED {
		return o.keyed.Err()`},
	}},
	{"a batch's keys share a watermark", "stream/batch_sort.go", []edit{
		{`	o.wm = dataflow.MinWatermark
`,
			`	if !PLANTED {
		o.wm = dataflow.MinWatermark
	}
`},
	}},
	{"a batch is not sorted", "stream/batch_runs.go", []edit{
		{"func (s *runSort) sort() {\n",
			"func (s *runSort) sort() {\n\tif PLANTED {\n\t\treturn\n\t}\n"},
	}},
}
