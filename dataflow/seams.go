package dataflow

import "goflink/hdfsstore"

// FileSystems opens file systems by URI; hdfsstore.Resolver is one.
type FileSystems interface {
	For(uri string) (fs hdfsstore.FS, path string, err error)
}

// Printer is a line sink shared by the tasks of a worker. Print writes one
// line, whole, even when many tasks print.
type Printer interface {
	Print(line string)
}

// ErrPrinter is a Printer that has a standard error output, too.
type ErrPrinter interface {
	PrintErr(line string)
}
