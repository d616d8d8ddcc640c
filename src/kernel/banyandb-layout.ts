/**
 * Where BanyanDB 0.9 to 0.11 keeps what, as data: supporting another layout means changing this file only.
 * Sources: apache/skywalking-banyandb docs/concept/storage-and-format.md, banyand/internal/storage,
 * banyand/{measure,stream,trace}/part.go, banyand/internal/sidx/part.go and the flags of `banyand standalone`.
 */

/** Kinds of files; the index is what the kernel adds to the base of a directory. */
export const FILE_KIND_NAMES = ["data", "index", "metadata"] as const;
export type FileKind = (typeof FILE_KIND_NAMES)[number];

/** A part of BanyanDB with a directory of its own. */
export interface CatalogLayout {
  readonly catalog: string;
  /** Flag of the command line that names the root. */
  readonly rootFlag: string;
  /** Directory below the root. */
  readonly directory: string;
  /** Directory below that which holds one directory for each group; undefined where there are no groups. */
  readonly groups: string | undefined;
}

/** Root where the command line names none. */
export const DEFAULT_ROOT = "/tmp";

export const CATALOGS: readonly CatalogLayout[] = [
  { catalog: "measure", rootFlag: "--measure-root-path", directory: "measure", groups: "data" },
  { catalog: "stream", rootFlag: "--stream-root-path", directory: "stream", groups: "data" },
  { catalog: "trace", rootFlag: "--trace-root-path", directory: "trace", groups: "data" },
  { catalog: "property", rootFlag: "--property-root-path", directory: "property", groups: "data" },
  // 0.10 and later; before that, and in etcd mode, the schema is in etcd's directory.
  {
    catalog: "schema",
    rootFlag: "--schema-server-root-path",
    directory: "schema-property",
    groups: undefined,
  },
  { catalog: "schema", rootFlag: "--metadata-root-path", directory: "metadata", groups: undefined },
];

/** What a name says of the kind of a file. A directory's rule wins over that of the file's own name. */
export interface NameRule {
  /** The whole name of a file, what follows its last dot (with the dot), or the name of a directory above it. */
  readonly of: "file" | "extension" | "directory";
  readonly name: string;
  readonly kind: FileKind;
}

export const NAME_RULES: readonly NameRule[] = [
  // Series index of a segment, secondary indexes of traces; element index of a stream's shard.
  { of: "directory", name: "sidx", kind: "index" },
  { of: "directory", name: "idx", kind: "index" },
  // Inverted indexes (bluge), also of properties and schema.
  { of: "extension", name: ".seg", kind: "index" },
  { of: "extension", name: ".snp", kind: "metadata" },
  // Directories of blocks, which every query of a part reads first.
  { of: "file", name: "meta.bin", kind: "metadata" },
  { of: "file", name: "primary.bin", kind: "metadata" },
  { of: "file", name: "smeta.bin", kind: "metadata" },
  { of: "file", name: "tag.type", kind: "metadata" },
  { of: "file", name: "traceID.filter", kind: "metadata" },
  { of: "extension", name: ".tfm", kind: "metadata" },
  { of: "extension", name: ".tff", kind: "metadata" },
  { of: "extension", name: ".json", kind: "metadata" },
  { of: "file", name: "metadata", kind: "metadata" },
  { of: "file", name: "lock", kind: "metadata" },
];
