// Package hapb holds the generated messages of the recovery store's files. Only
// jobmanager/ha uses it. It has no goroutines, locks or state.
package hapb

//go:generate sh -c "cd ../../.. && protoc --plugin=protoc-gen-go=$(go tool -n protoc-gen-go) --go_out=. --go_opt=module=goflink jobmanager/ha/hapb/ha.proto"
