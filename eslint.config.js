// Type-aware lint for src/ and test/, and the import arrows of docs/ARCHITECTURE.md as rules.
import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

/** Forbids imports matching `regex` in `files` of src/; `allowTypes` lets `import type` through. */
function arrow(files, rules) {
  return {
    files: [`src/${files}.ts`],
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        {
          patterns: rules.map(({ regex, allowTypes, message }) => ({
            regex,
            message,
            ...(allowTypes ? { allowTypeImports: true } : {}),
          })),
        },
      ],
    },
  };
}

const outer = (names) => ({
  regex: `^(\\.\\./)+(${names.join("|")})[-a-z]*(/|\\.js$)`,
  message: `only main, demo, top and agent may join the layers`,
});
const configTypes = {
  regex: "^(\\.\\./)+config/",
  allowTypes: true,
  message: "only types may come from config/: values are handed in",
};

/** What plain scripts use without an import. */
const nodeGlobals = [
  "URL",
  "clearInterval",
  "clearTimeout",
  "console",
  "process",
  "setInterval",
  "setTimeout",
];

export default tseslint.config(
  { ignores: ["dist/", "build/", "src/gen/", "node_modules/"] },
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
    },
  },
  {
    files: ["**/*.js", "**/*.mjs"],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: Object.fromEntries(nodeGlobals.map((name) => [name, "readonly"])) },
  },
  arrow("model/**/*", [{ regex: "^(?!\\./)", message: "model imports nothing outside itself" }]),
  arrow("config/**/*", [
    outer(["kernel", "banyandb", "observe", "embedded", "agent", "main", "demo", "top"]),
  ]),
  arrow("kernel/**/*", [
    outer(["banyandb", "observe", "embedded", "gen", "agent", "main", "demo", "top"]),
    configTypes,
  ]),
  arrow("banyandb/**/*", [
    outer(["kernel", "observe", "embedded", "agent", "main", "demo", "top"]),
    configTypes,
  ]),
  arrow("observe/**/*", [
    outer(["kernel", "banyandb", "embedded", "gen", "agent", "main", "demo", "top"]),
    configTypes,
  ]),
  arrow("embedded/**/*", [
    outer(["kernel", "banyandb", "observe", "config", "agent", "main", "demo", "top"]),
  ]),
  arrow("agent*", [
    { regex: "^\\./(main|demo|top|embedded)(/|\\.js$)", message: "agent joins kernel, banyandb and observe" },
  ]),
);
