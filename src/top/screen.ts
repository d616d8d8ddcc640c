/** A terminal taken over for a while: another screen, no cursor, single keys. */
import type { ReadStream, WriteStream } from "node:tty";

export interface Screen {
  readonly columns: number;
  readonly rows: number;
  /** Shows these lines and nothing else. */
  draw(lines: readonly string[]): void;
  /** Gives the terminal back as it was; again does nothing. */
  close(): void;
}

/** Private modes of xterm (ctlseqs): 1049 the alternate screen, 25 the cursor. */
const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const CLEAR_LINE_END = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";
/** A terminal that does not know its size, such as a serial line, says 0. */
const UNKNOWN_SIZE = { columns: 80, rows: 24 };
/** Ctrl-C comes as a key where single keys are read. */
const QUIT_KEYS: ReadonlySet<string> = new Set(["q", "Q", "\u0003"]);

/** Takes the terminal; `quit` is called for q and Ctrl-C. */
export function openScreen(stdout: WriteStream, stdin: ReadStream, quit: () => void): Screen {
  const onKeys = (keys: string): void => {
    if (Array.from(keys).some((key) => QUIT_KEYS.has(key))) quit();
  };
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    process.off("exit", close);
    stdout.write(LEAVE);
    if (!stdin.isTTY) return;
    stdin.off("data", onKeys);
    stdin.setRawMode(false);
    stdin.pause();
  };
  // Whatever ends the process, the shell gets its terminal back.
  process.once("exit", close);
  stdout.write(ENTER);
  if (stdin.isTTY) {
    stdin.setRawMode(true);
    stdin.setEncoding("utf8").on("data", onKeys);
  }
  return {
    get columns() {
      return stdout.columns > 0 ? stdout.columns : UNKNOWN_SIZE.columns;
    },
    get rows() {
      return stdout.rows > 0 ? stdout.rows : UNKNOWN_SIZE.rows;
    },
    draw(lines) {
      const text = lines.map((line) => line + CLEAR_LINE_END).join("\r\n");
      stdout.write(HOME + text + CLEAR_BELOW);
    },
    close,
  };
}
