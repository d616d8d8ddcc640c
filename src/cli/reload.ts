/** Takes a changed configuration, or changed secrets, while `run` goes on. What is bad changes nothing. */
import { isDeepStrictEqual } from "node:util";
import type { Config } from "../config/config.js";
import type { LoadedConfig } from "../config/load.js";
import { ConfigError, problemLine } from "../config/problems.js";
import { planReload } from "../config/reload.js";
import type { Secrets } from "../config/secrets.js";
import type { Log } from "../model/log.js";

export interface ReloaderParts {
  readonly initial: LoadedConfig;
  /** Loads all anew, as at the start. @throws ConfigError */
  readonly load: () => LoadedConfig;
  readonly readSecrets: (config: Config) => Secrets;
  readonly apply: (config: Config) => void;
  readonly log: Log;
}

export interface Reloader {
  /** Loads the configuration again. */
  reload(): void;
  /** Reads the files of secrets again, and takes them where they have changed. */
  refresh(): void;
}

export function createReloader({ initial, load, readSecrets, apply, log }: ReloaderParts): Reloader {
  let running = initial;

  const take = (loaded: LoadedConfig): void => {
    running = loaded;
    apply(loaded.config);
  };

  return {
    reload() {
      let wanted: LoadedConfig;
      try {
        wanted = load();
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        const problems = error.problems.map(problemLine);
        log.error("the new configuration is bad; the old one stays", { problems });
        return;
      }
      const { config, changed, needRestart } = planReload(running, wanted);
      if (needRestart.length > 0) {
        log.warn("some changes need a restart; until then the old values stay", { keys: needRestart });
      }
      // The level may be part of it, so first the line that tells.
      log.info("configuration read again", { changed });
      const kept = running.values.filter(({ key }) => needRestart.includes(key));
      const values = wanted.values.map((value) => kept.find(({ key }) => key === value.key) ?? value);
      const { listed } = running;
      take({ config, values, listed });
    },
    refresh() {
      const { banyandb, http } = running.config;
      const { password, ca, cert, key, problems } = readSecrets(running.config);
      if (problems.length > 0) {
        log.throttled("secrets", "secrets cannot be read again; the old ones stay", {
          problems: problems.map(({ key, message }) => `${key ?? ""}: ${message}`),
        });
        return;
      }
      const fresh = {
        banyandb: {
          ...banyandb,
          password: banyandb.passwordFile === undefined ? banyandb.password : password,
          tls: banyandb.tls && { ...banyandb.tls, ca },
        },
        http: {
          ...http,
          tls: http.tls && { ...http.tls, cert: cert ?? http.tls.cert, key: key ?? http.tls.key },
        },
      };
      if (isDeepStrictEqual(fresh, { banyandb, http })) return;
      log.info("secrets read again");
      take({ ...running, config: { ...running.config, ...fresh } });
    },
  };
}
