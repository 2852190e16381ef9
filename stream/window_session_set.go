package stream

import (
	"math"

	"goflink/codec"
	"goflink/state"
)

// session is an open session of a key. Its contents lie in the namespace (A, B):
// the bounds that it, or the oldest one of those that were merged into it, had
// at first. Timers move lazily: a session that grew keeps its timer, which sets
// the next one when it comes.
type session struct {
	Start, End int64
	A, B       int64
	// Armed is true while a timer at or before End-1 is set.
	Armed bool
}

func (s session) ns() state.Namespace { return state.Namespace{A: s.A, B: s.B} }

// touches is Flink's TimeWindow.intersects: sessions that only meet are one.
func (s session) touches(w Span) bool { return s.Start <= w.End && s.End >= w.Start }

// sessions are the open sessions of a key. The last one takes nearly all records:
// it lies in the state itself, the others somewhere else in memory.
type sessions struct {
	any  bool // last is one
	last session
	more []session
	// end is no less than the End of any other.
	end int64
}

// take puts a span into the one session that it touches, or makes it one if there
// is none. It returns nil when there are several, which must be merged.
func (s *sessions) take(w Span) *session {
	var at *session
	if s.any && s.last.touches(w) {
		at = &s.last
	}
	if len(s.more) > 0 && s.end >= w.Start {
		for i := range s.more {
			if !s.more[i].touches(w) {
				continue
			}
			if at != nil {
				return nil
			}
			at = &s.more[i]
		}
	}
	if at == nil {
		return s.begin(session{Start: w.Start, End: w.End, A: w.Start, B: w.End})
	}
	at.Start, at.End = min(at.Start, w.Start), max(at.End, w.End)
	if at != &s.last {
		s.end = max(s.end, at.End)
	}
	return at
}

// begin adds a session.
func (s *sessions) begin(x session) *session {
	if !s.any {
		s.any, s.last, s.end = true, x, math.MinInt64
		return &s.last
	}
	if x.End > s.last.End {
		x, s.last = s.last, x
		s.more, s.end = append(s.more, x), max(s.end, x.End)
		return &s.last
	}
	s.more, s.end = append(s.more, x), max(s.end, x.End)
	return &s.more[len(s.more)-1]
}

// appendTo appends them to a list, in the order in which they began.
func (s *sessions) appendTo(list []session) []session {
	list = append(list, s.more...)
	if s.any {
		list = append(list, s.last)
	}
	return list
}

// set replaces them by a list, of which it keeps no part.
func (s *sessions) set(list []session) {
	*s = sessions{more: s.more[:0]}
	for _, x := range list {
		s.begin(x)
	}
}

// drop removes a session and tells whether others are left.
func (s *sessions) drop(ns state.Namespace) bool {
	for i := range s.more {
		if s.more[i].ns() == ns {
			s.more = append(s.more[:i], s.more[i+1:]...)
			return true
		}
	}
	if s.last.ns() == ns {
		s.set(append([]session(nil), s.more...))
	}
	return s.any
}

// in returns the session whose contents lie in a namespace, nil if there is none.
func (s *sessions) in(ns state.Namespace) *session {
	if s.any && s.last.ns() == ns {
		return &s.last
	}
	for i := range s.more {
		if s.more[i].ns() == ns {
			return &s.more[i]
		}
	}
	return nil
}

// sessionsCodec encodes them as the list.
type sessionsCodec struct{ codec.Codec[[]session] }

func newSessionsCodec() (codec.Codec[sessions], error) {
	c, err := codec.For[[]session]()
	return sessionsCodec{c}, err
}

// Append encodes the list.
func (c sessionsCodec) Append(dst []byte, v *sessions) []byte {
	list := v.appendTo(make([]session, 0, 1+len(v.more)))
	return c.Codec.Append(dst, &list)
}

// Decode decodes a list.
func (c sessionsCodec) Decode(src []byte, v *sessions) (int, error) {
	var list []session
	n, err := c.Codec.Decode(src, &list)
	if err == nil {
		*v = sessions{}
		v.set(list)
	}
	return n, err
}

// Copy copies what is not in the state itself.
func (c sessionsCodec) Copy(v sessions) sessions {
	v.more = append([]session(nil), v.more...)
	return v
}
