import { expect } from "chai";
import { accountMetadata, channelNames, withoutSecret } from "../../../src/banyandb/channel-credentials.js";

const ACCOUNT = { username: "me", password: "hunter2" };

describe("credentials of a channel", () => {
  it("are plain metadata, and none without an account", () => {
    expect(accountMetadata(ACCOUNT).getMap()).to.deep.equal(ACCOUNT);
    expect(accountMetadata({ username: undefined, password: undefined }).getMap()).to.deep.equal({});
  });

  it("do not show in a text of the other side that repeats them", () => {
    expect(withoutSecret("hunter2 is wrong: hunter2", ACCOUNT)).to.equal("******** is wrong: ********");
    expect(withoutSecret("nobody", { username: undefined, password: undefined })).to.equal("nobody");
  });

  it("name the server only where it is another than the endpoint's host", () => {
    const tls = { caFile: undefined, ca: undefined, serverName: undefined };
    expect([channelNames(undefined), channelNames(tls)]).to.deep.equal([{}, {}]);
    expect(channelNames({ ...tls, serverName: "banyandb" })).to.deep.equal({
      "grpc.ssl_target_name_override": "banyandb",
      "grpc.default_authority": "banyandb",
    });
  });
});
