/** The server that a suite of the contract talks to, and what each of its tests needs. */
import { connectBanyandb, type BanyandbClient } from "./banyandb-client.js";
import { ContractBench, type Dialect } from "./banyandb-contract.js";
import { startBanyandbServer, type BanyandbServer } from "./banyandb-server.js";

export interface ContractSetting {
  readonly server: BanyandbServer;
  readonly client: BanyandbClient;
  readonly bench: ContractBench;
  readonly dialect: Dialect;
}

export async function openContract(): Promise<ContractSetting> {
  const server = await startBanyandbServer();
  const client = connectBanyandb(server.address);
  const bench = new ContractBench(client);
  return { server, client, bench, dialect: await bench.observeDialect(server.version) };
}

export async function closeContract({ server, client, bench }: ContractSetting): Promise<void> {
  await bench.cleanUp();
  client.close();
  await server.close();
}
