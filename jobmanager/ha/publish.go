package ha

import (
	"errors"
	"io/fs"

	"goflink/hdfsstore"
)

// publication decides how a temporary file gets into the epoch folder under a
// name that is used once, and finds out what became of it when answers are lost.
// It does no I/O: the shell (Store.settle) carries out the moves.
type publication struct {
	phase   pubPhase
	tries   int
	unsure  bool // a rename may have happened without our knowing
	replace bool // the name may exist: the leader's record
}

type pubPhase int

const (
	pubRename     pubPhase = iota
	pubVerify              // after a rename that succeeded: is the file in the open folder?
	pubLook                // after one that did not: is it there nevertheless?
	pubFolder              // it is not: is the folder?
	pubGiveUp              // take the temporary file away, so that nothing can happen later
	pubLast                // then look a last time
	pubLastFolder          // and make sure that the folder was there to look into
)

// move is the next thing to do with the file.
type move int

const (
	moveRename       move = iota // rename it into the folder
	moveStatFile                 // look for it in the folder
	moveStatFolder               // look for the folder
	moveDelete                   // delete the temporary file
	moveWaitRename               // wait a little, then rename
	movePublished                // end: it is there
	moveFenced                   // end: the folder is gone
	moveFailed                   // end: it is not there and will not be
	moveUnknown                  // end: nobody knows
	moveNotPublished             // end: the temporary file vanished
)

// outcome is what came of a move, as far as it decides.
type outcome int

const (
	outcomeOK outcome = iota
	outcomeGone
	outcomeExists
	outcomeUnsure // it failed in a way that may have let it happen, or may pass
	outcomeFailed // it failed for good, and did not happen
)

// publishTries bounds renames and checks. Each failed one has already been
// repeated by the file system below for a minute.
const publishTries = 4

// classify tells what an error of the file system decides.
func classify(err error) outcome {
	switch {
	case err == nil:
		return outcomeOK
	case errors.Is(err, fs.ErrNotExist):
		return outcomeGone
	case errors.Is(err, fs.ErrExist):
		return outcomeExists
	case hdfsstore.IsTransient(err):
		return outcomeUnsure
	case errors.Is(err, fs.ErrPermission), errors.Is(err, hdfsstore.ErrNoSpace), errors.Is(err, hdfsstore.ErrReadOnly):
		return outcomeFailed
	}
	// What is not known may have let it happen.
	return outcomeUnsure
}

// start begins.
func (p *publication) start() move { return moveRename }

// step takes what came of the last move and returns the next.
func (p *publication) step(o outcome) move {
	switch p.phase {
	case pubRename:
		return p.renamed(o)
	case pubVerify:
		return p.verified(o)
	case pubLook:
		return p.looked(o)
	case pubFolder:
		return p.folder(o)
	case pubGiveUp:
		return p.gaveUp(o)
	case pubLast:
		return p.last(o)
	default:
		return p.lastFolder(o)
	}
}

func (p *publication) to(phase pubPhase, m move) move {
	p.phase = phase
	return m
}

func (p *publication) renamed(o outcome) move {
	switch o {
	case outcomeOK:
		return p.to(pubVerify, moveStatFile)
	case outcomeGone:
		return p.to(pubLook, moveStatFile)
	case outcomeExists:
		if p.unsure {
			return p.to(pubLook, moveStatFile)
		}
		// Somebody else writes in our folder: not for us to go on.
		return moveFenced
	case outcomeFailed:
		return p.to(pubGiveUp, moveDelete)
	}
	p.unsure = true
	return p.again()
}

// again tries the rename once more, or gives up.
func (p *publication) again() move {
	if p.tries++; p.tries >= publishTries {
		return p.to(pubGiveUp, moveDelete)
	}
	return p.to(pubRename, moveWaitRename)
}

func (p *publication) verified(o outcome) move {
	switch o {
	case outcomeOK:
		return movePublished
	case outcomeGone:
		// The folder was renamed at the same time; its reader may have missed it.
		return moveFenced
	}
	if p.tries++; p.tries >= publishTries {
		return moveUnknown
	}
	return moveStatFile
}

// looked follows a rename that found its source or its folder gone.
func (p *publication) looked(o outcome) move {
	switch {
	case o == outcomeOK && (p.unsure || !p.replace):
		// The temporary file is gone and this one is there.
		return movePublished
	case o == outcomeOK:
		return moveNotPublished
	case o == outcomeGone:
		return p.to(pubFolder, moveStatFolder)
	}
	if p.tries++; p.tries >= publishTries {
		return moveUnknown
	}
	return moveStatFile
}

func (p *publication) folder(o outcome) move {
	switch o {
	case outcomeOK:
		return moveNotPublished
	case outcomeGone:
		return moveFenced
	}
	if p.tries++; p.tries >= publishTries {
		return moveUnknown
	}
	return moveStatFolder
}

// gaveUp follows the removal of the temporary file: a rename still on its way
// finds nothing any more.
func (p *publication) gaveUp(o outcome) move {
	if o != outcomeOK && o != outcomeGone {
		return moveUnknown
	}
	return p.to(pubLast, moveStatFile)
}

func (p *publication) last(o outcome) move {
	switch {
	case o == outcomeOK && !p.replace:
		return movePublished
	case o == outcomeOK && !p.unsure:
		return moveFailed // what is there is the record before
	case o == outcomeGone:
		return p.to(pubLastFolder, moveStatFolder)
	}
	return moveUnknown
}

func (p *publication) lastFolder(o outcome) move {
	switch o {
	case outcomeOK:
		return moveFailed
	case outcomeGone:
		// The file may have been in it, and been read.
		return moveFenced
	}
	return moveUnknown
}
