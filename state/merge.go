package state

// MergeValue folds the values of the source namespaces of the current key into that of target, in order, and
// clears the sources: what a merging (session) window does. The current namespace is as before afterwards.
func MergeValue[K comparable, V any](k *Keyed[K], v Value[V], target Namespace, sources []Namespace, merge func(a, b V) V) {
	ns := k.Namespace()
	defer k.SetNamespace(ns)
	var acc V
	have := false
	for _, source := range sources {
		if source == target {
			continue
		}
		k.SetNamespace(source)
		x, ok := v.Get()
		if !ok {
			continue
		}
		v.Clear()
		if have {
			x = merge(acc, x)
		}
		acc, have = x, true
	}
	if !have {
		return
	}
	k.SetNamespace(target)
	if x, ok := v.Get(); ok {
		acc = merge(x, acc)
	}
	v.Set(acc)
}

// MergeList appends the lists of the source namespaces of the current key to that of target, in order, and clears
// the sources. The current namespace is as before afterwards.
func MergeList[K comparable, V any](k *Keyed[K], l List[V], target Namespace, sources []Namespace) {
	ns := k.Namespace()
	defer k.SetNamespace(ns)
	for _, source := range sources {
		if source == target {
			continue
		}
		k.SetNamespace(source)
		vs := l.Get()
		if len(vs) == 0 {
			continue
		}
		l.Clear()
		k.SetNamespace(target)
		l.AddAll(vs)
	}
}
