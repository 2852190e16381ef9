package hdfsstore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/colinmarc/hdfs/v2"

	"goflink/hadooprpc"
)

// remoteKinds are the NameNode's exceptions that mean something to callers, by
// their class names without package.
var remoteKinds = map[string]struct {
	kind      error
	transient bool
	reason    string // instead of Hadoop's message
}{
	"FileNotFoundException":               {kind: fs.ErrNotExist, reason: noSuchFile},
	"PathNotFoundException":               {kind: fs.ErrNotExist, reason: noSuchFile},
	"FileAlreadyExistsException":          {kind: fs.ErrExist, reason: "file or folder exists already"},
	"AlreadyBeingCreatedException":        {kind: fs.ErrExist, reason: "another client is writing this file"},
	"RecoveryInProgressException":         {kind: fs.ErrExist, reason: "another client was writing this file, which the NameNode is closing", transient: true},
	"AccessControlException":              {kind: fs.ErrPermission},
	"AuthorizationException":              {kind: fs.ErrPermission},
	"PathIsNotEmptyDirectoryException":    {kind: ErrNotEmpty, reason: "the folder is not empty"},
	"PathIsNotDirectoryException":         {kind: ErrNotDir},
	"ParentNotDirectoryException":         {kind: ErrNotDir},
	"InvalidPathException":                {kind: fs.ErrInvalid},
	"NSQuotaExceededException":            {kind: ErrNoSpace},
	"DSQuotaExceededException":            {kind: ErrNoSpace},
	"QuotaByStorageTypeExceededException": {kind: ErrNoSpace},
	"SafeModeException":                   {kind: ErrReadOnly, transient: true, reason: "the NameNode is in safe mode: HDFS is read-only"},
	"LeaseExpiredException":               {kind: errLease, transient: true},
	"NotReplicatedYetException":           {kind: errLease, transient: true},
	"StandbyException":                    {kind: errUnreachable, transient: true, reason: "no NameNode is active"},
	"RetriableException":                  {kind: errUnreachable, transient: true},
	"ServerNotRunningYetException":        {kind: errUnreachable, transient: true, reason: "the NameNode is starting"},
	"InvalidToken":                        {kind: fs.ErrPermission, reason: "the HDFS delegation token has expired or was cancelled"},
}

var (
	errLease       = errors.New("the NameNode does not accept more of this file")
	errUnreachable = errors.New("no NameNode can be reached")
)

// explain turns an error of a NameNode call into ours.
func (h *HDFS) explain(op, p string, err error) error {
	e := &Error{Op: op, Path: h.URI(p), Err: err}
	var remote *hadooprpc.RemoteError
	switch {
	case errors.As(err, &remote):
		explainRemote(e, remote.Class, remote.Message)
	case errors.Is(err, context.Canceled):
	case errors.Is(err, hadooprpc.ErrClosed):
		e.Reason = "the file system was closed"
	default:
		// Connections and time-outs.
		e.Transient = true
		e.Reason = "the NameNode " + h.authority + " does not answer: " + oneLine(err.Error())
		e.Err = errors.Join(errUnreachable, err)
	}
	return e
}

// explainRemote fills in kind and reason of a Java exception.
func explainRemote(e *Error, class, message string) {
	name := class[strings.LastIndexAny(class, ".$")+1:]
	message = oneLine(message)
	e.Reason = message
	if known, ok := remoteKinds[name]; ok {
		e.Err = errors.Join(known.kind, e.Err)
		e.Transient = known.transient
		if known.reason != "" {
			e.Reason = known.reason
		}
	} else if kind := kindByMessage(message); kind != nil {
		e.Err = errors.Join(kind, e.Err)
		e.Transient = kind != fs.ErrExist
	}
	if e.Reason == "" {
		e.Reason = "the NameNode answers " + name
	}
}

// kindByMessage knows plain IOExceptions by their text, as Hadoop gives them no
// class of their own.
func kindByMessage(message string) error {
	switch {
	case strings.Contains(message, "could only be written to"), strings.Contains(message, "could only be replicated to"):
		// Full DataNodes, dead ones and excluded ones look the same.
		return ErrNoSpace
	case strings.Contains(message, "must both be directories"):
		// rename2 onto a folder, or of a folder onto a file.
		return fs.ErrExist
	case strings.Contains(message, "Unable to close file"), strings.Contains(message, "NotReplicatedYet"):
		return errLease
	}
	return nil
}

// explainClient turns an error of the HDFS client library into ours. Errors of
// calls went through the bridge, which kept the original.
func (h *HDFS) explainClient(op, p string, b *bridge, err error) error {
	if err == nil {
		return nil
	}
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	if failed := b.takeError(); failed != nil {
		return h.explain(op, p, failed)
	}
	e := &Error{Op: op, Path: h.URI(p), Err: err}
	var remote hdfs.Error
	var pe *os.PathError
	switch {
	case errors.As(err, &remote):
		explainRemote(e, remote.Exception(), firstLine(remote.Message()))
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrPermission):
		if errors.As(err, &pe) {
			e.Reason = pe.Err.Error()
		}
	default:
		e.Transient = true
		e.Reason = "a DataNode failed: " + oneLine(err.Error())
	}
	return e
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// oneLine joins lines and drops the Java package names in front of exceptions.
func oneLine(s string) string {
	s, _, _ = strings.Cut(s, "\n\tat ")
	return strings.Join(strings.Fields(s), " ")
}
