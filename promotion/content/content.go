// Package content computes what a promotion changes: given an environment's
// place upstream and in the target, each now and then, it says item by item
// which of the target's bytes become the upstream's.
//
// It is pure: files come in as a listing of git modes and blob ids plus the
// bytes of the blobs that [Needs] asked for, and edits go out as data. Three
// rules hold for every edit: it lies in the projection that the place names,
// a changed value changes only its own bytes, and only what changed upstream
// since the last position travels.
package content

// Place is where an environment keeps what a pipeline promotes: a folder and
// the items promoted in it. The places of one pipeline's environments have the
// same number of items in the same order, so that item i upstream corresponds
// to item i in the target.
type Place struct {
	// Dir is the environment's folder in the repository, without a trailing
	// slash; "" is the repository's root.
	Dir string
	// Items is the allowlist of what is promoted.
	Items []Item
	// Never is the pipeline file's never: what no pipeline can move. An entry
	// with a slash is a glob of repository paths (**/secrets*), one that begins
	// with kind: a Kubernetes kind (kind:SealedSecret), any other a value path
	// (**.replicas). The kustomize words namespace, namePrefix and nameSuffix
	// are the top-level fields of kustomization files only. Such files and
	// values lie outside the projection: [Place.Owns] is false for the files, and
	// [Digest] does not see the values. A kind is known only from a file's bytes,
	// which are not read for a digest: such files do not travel, but count.
	Never []string
}

// DefaultNever is the pipeline file's never where it says nothing.
func DefaultNever() []string {
	return []string{"namespace", "namePrefix", "nameSuffix", "**/secrets*", "**/*sealed-secret*", "**/*sealedsecret*", "**/*sealed_secret*", "kind:SealedSecret"}
}

// ItemKind says how an item's parts are found.
type ItemKind string

// The kinds of items a pipeline can promote.
const (
	Files  ItemKind = "files"  // whole files by glob
	Values ItemKind = "values" // scalars in YAML or JSON by path
	Images ItemKind = "images" // newTag and digest of kustomize images by image name
	Match  ItemKind = "match"  // the one group of a regular expression with exactly one hit
)

// Item is one entry of a pipeline's promote list with the environment filled in.
type Item struct {
	Kind ItemKind
	// Patterns are file globs (Files, relative to Dir), value paths such as
	// image.tag, containers.web.image or **.hostname (Values), globs of image
	// names (Images), or one regular expression (Match).
	Patterns []string
	// In is the file, relative to Dir, in which Values, Images and Match look;
	// for Images it is empty and means kustomization.yaml, kustomization.yml or
	// Kustomization.
	In string
	// Except are globs of files that stay (Files).
	Except []string
	// Keep are value paths inside copied files that stay the target's own (Files).
	Keep []string
	// Create says that a value or image missing in the target is added rather
	// than refused (if_absent: create).
	Create bool
}

// File is one file of a listing: its git mode ("100644", "100755", "120000" for
// a symbolic link, "160000" for a submodule) and blob id.
type File struct {
	Mode string
	Blob string
}

// Listing maps repository paths to files, recursively below a place's folder.
type Listing map[string]File

// Side is a place as it stands at one commit. Absent is true when the place
// has no file at all there.
type Side struct {
	Place Place
	Files Listing
}

// Blobs maps blob ids to their bytes.
type Blobs map[string][]byte

// Input is all that a promotion's content depends on: upstream at the offered
// landing and at the target's last position, the target on today's base, and
// both at the target's baseline.
//
// Whether someone changed an item of the target is told by comparing it with
// upstream's at the last position: a promotion left it so. Its state at the last
// landing would not do, since a person's change made before a landing that did
// not touch the item stands in that landing's tree as if it had been promoted.
type Input struct {
	Source, Target         string // the environments' names
	Upstream, UpstreamThen Side
	TargetNow              Side
	UpstreamBaseline       Side
	TargetBaseline         Side // items that differed at the baseline and still do are of kind drift
	Reconcile              bool // `start: reconcile` and no position yet: every difference counts as changed upstream, nothing as deleted
	Blobs                  Blobs
	Never                  []string // added to the Never of every place
	// Unread says that copied files of which nothing depends on their bytes are
	// not read: kinds that only bytes tell (leak, downgrade, large by lines) merge
	// by themselves here anyway.
	Unread      bool
	AllowMoving bool // values that are ranges or moving names are not refused (managed elsewhere with a source)
}

// Kind is a kind of change that does not merge by itself unless allowed.
type Kind string

// The kinds of change, in the pipeline file's words.
const (
	Create    Kind = "create"
	Delete    Kind = "delete"
	Downgrade Kind = "downgrade"
	Drift     Kind = "drift"
	Leak      Kind = "leak"
	Large     Kind = "large"
)

// Edit is one file of the target to be written: either an existing blob, or
// new bytes, or a deletion.
type Edit struct {
	Path   string
	Mode   string
	Blob   string // set when an existing blob is taken over as it is
	Bytes  []byte // set (non-nil) when new bytes are written
	Delete bool
}

// Change is one item's change, for people.
type Change struct {
	File  string // repository path in the target
	Value string // value path or image field such as images.checkout.newTag; "" for a whole file
	Now   string // as in the target today, "" when absent; for whole files a short note such as "12 lines"
	After string
	Kinds []Kind
	// Overwrites says that the target's item was changed by someone since it was
	// last promoted and that this change replaces it.
	Overwrites bool
	// Merged says that both sides changed the file and their lines were merged.
	Merged bool
}

// Refusal is something that changed upstream and cannot travel, with what to do.
type Refusal struct {
	File, Value string
	Reason      string
	Remedy      string
	// Never says that the pipeline file's never keeps it: it stays by design,
	// and there is nothing to mend.
	Never bool
}

// Result is what promoting does to the target.
type Result struct {
	Edits    []Edit   // sorted by path; empty when there is nothing to do
	Changes  []Change // sorted by file, then value
	Refused  []Refusal
	Kept     []string // names of values kept as the target's own inside copied files
	Kinds    []Kind   // union over the changes, sorted; Large is of the whole
	Was      string   // Digest of the target before the edits
	Expected string   // Digest of the target after the edits
	// From and To name the versions for a title ("1.40.0", "1.42.0") when one
	// version-like value changed; else both are empty.
	From, To string
}
