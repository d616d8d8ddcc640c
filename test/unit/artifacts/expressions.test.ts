import { expect } from "chai";
import { expressionsIn, filledIn, metricsIn } from "../../artifacts/expressions.js";
import { samplesIn, seriesKey } from "../../artifacts/exposition.js";

describe("the expressions of dashboards and rules", () => {
  it("are found at any depth, each with the nearest title above", () => {
    const board = {
      title: "Board",
      panels: [{ title: "Row", panels: [{ title: "P", targets: [{ expr: "a" }] }] }],
    };
    const rules = {
      groups: [
        {
          name: "g",
          rules: [
            { alert: "Hot", expr: "b" },
            { record: "r", expr: "c" },
          ],
        },
      ],
    };
    expect([...expressionsIn("x.json", board), ...expressionsIn("y.yaml", rules)]).to.deep.equal([
      { where: 'x.json "P"', text: "a" },
      { where: 'y.yaml "Hot"', text: "b" },
      { where: 'y.yaml "r"', text: "c" },
    ]);
  });

  it("are asked with every variable open", () => {
    expect(filledIn('rate(x{n=~"$node",c=~"${cluster:regex}"}[$__rate_interval])')).to.equal(
      'rate(x{n=~".*",c=~".*"}[20s])',
    );
  });

  it("tell the metrics of ours that they name, once each", () => {
    expect(metricsIn("rate(ebpf_a_total[1m]) / ebpf_b > up + ebpf_b")).to.deep.equal([
      "ebpf_a_total",
      "ebpf_b",
    ]);
  });
});

describe("reading the text format", () => {
  it("gives names, labels and values, and leaves out comments", () => {
    expect(
      samplesIn('# HELP a b\na{x="1",y="a \\"b\\" {c}"} 2\nb 1e3\nc_bucket{le="+Inf"} 4\n'),
    ).to.deep.equal([
      { name: "a", labels: { x: "1", y: 'a \\"b\\" {c}' }, value: 2 },
      { name: "b", labels: {}, value: 1000 },
      { name: "c_bucket", labels: { le: "+Inf" }, value: 4 },
    ]);
  });

  it("refuses a line that is no sample", () => {
    expect(() => samplesIn("a b c\n")).to.throw("not a sample: a b c");
  });

  it("takes a series for the same whatever the order of its labels and who scraped it", () => {
    expect(seriesKey("a", { x: "1", y: "2" })).to.equal(
      seriesKey("a", { y: "2", x: "1", job: "j", instance: "i" }),
    );
    expect(seriesKey("a", { x: "1" })).to.not.equal(seriesKey("a", { x: "2" }));
  });
});
