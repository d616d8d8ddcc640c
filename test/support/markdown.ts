/** What a Markdown document says that can be held against the project. Pure. */

export interface Code {
  /** After the opening fence, such as sh; empty for a span within a line. */
  readonly language: string;
  readonly text: string;
}

/** Fenced blocks and spans, in any order. */
export function codeIn(document: string): Code[] {
  const blocks = [...document.matchAll(/^ *```(\w*)\n([^]*?)^ *```$/gm)].map(
    ([, language = "", text = ""]): Code => ({ language, text }),
  );
  const spans = [...withoutBlocks(document).matchAll(/`([^`\n]+)`/g)].map(([, text = ""]): Code => ({
    language: "",
    text,
  }));
  return [...blocks, ...spans];
}

function withoutBlocks(document: string): string {
  return document.replaceAll(/^ *```\w*\n[^]*?^ *```$/gm, "");
}

/** Targets of links and pictures. */
export function linksIn(document: string): string[] {
  return [...withoutBlocks(document).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
}

/** Names by which headings can be linked to, as GitHub makes them. */
export function anchorsIn(document: string): string[] {
  return [...withoutBlocks(document).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** The command lines in shell blocks and spans, without their comments. */
export function commandsIn(document: string): string[] {
  return codeIn(document)
    .filter(({ language }) => ["", "sh", "bash"].includes(language))
    .flatMap(({ text }) => text.split(/\n|&&/))
    .map((line) => line.replace(/\s+#.*$/, "").trim())
    .filter((line) => line !== "");
}
