import { expect, test } from "vitest";
import { canonicalJson, differences, digestOf, sha256 } from "../../tools/json.ts";

test("gives the same text for the same value whatever the order of its keys", () => {
  const one = { b: [1, { d: null, c: "x" }], a: true };
  const other = { a: true, b: [1, { c: "x", d: null }] };
  expect(canonicalJson(one)).toBe('{"a":true,"b":[1,{"c":"x","d":null}]}');
  expect(canonicalJson(other)).toBe(canonicalJson(one));
  expect(digestOf(other)).toBe(digestOf(one));
});

test("sorts keys by code unit, capitals and non-ASCII included", () => {
  expect(canonicalJson({ é: 1, a: 2, Z: 3, "10": 4, "9": 5, "": 6 })).toBe('{"":6,"10":4,"9":5,"Z":3,"a":2,"é":1}');
});

test("leaves out undefined members and keeps the order of arrays", () => {
  expect(canonicalJson({ a: undefined, b: [3, 1, 2] })).toBe('{"b":[3,1,2]}');
  expect(canonicalJson(undefined)).toBe("null");
});

test("is JSON that reads back as the same value", () => {
  const value = { text: 'quote " slash \\ line\n \u2028 😀', number: -0.5, large: 1e21, nested: [[], {}] };
  expect(JSON.parse(canonicalJson(value))).toEqual(value);
});

test("tells values apart that look alike", () => {
  const values = [null, 0, "0", false, "", [], {}, [null], { a: null }];
  expect(new Set(values.map(digestOf)).size).toBe(values.length);
});

test("refuses numbers that have no JSON form", () => {
  expect(() => canonicalJson({ cost: Number.NaN })).toThrow("NaN has no JSON form");
  expect(() => canonicalJson([Number.POSITIVE_INFINITY])).toThrow("Infinity has no JSON form");
});

test("hashes the canonical text with SHA-256", () => {
  expect(sha256("")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect(digestOf({ a: 1 })).toBe(sha256('{"a":1}'));
});

test("names each leaf that differs, with what stood there before and after", () => {
  const before = { revision: "a", targets: { "CLAWDINATOR-2": { epoch: 3, image: "x" } }, gone: 1, list: [1, 2] };
  const after = {
    revision: "b",
    targets: { "CLAWDINATOR-2": { epoch: 4, image: "x" } },
    list: [1, 3],
    added: { x: 1 },
  };
  expect(differences(before, after)).toEqual([
    { path: "added", before: null, after: { x: 1 } },
    { path: "gone", before: 1, after: null },
    { path: "list", before: [1, 2], after: [1, 3] },
    { path: "revision", before: "a", after: "b" },
    { path: "targets.CLAWDINATOR-2.epoch", before: 3, after: 4 },
  ]);
});

test("finds no difference between equal values, and counts an absent member as null", () => {
  expect(differences({ a: 1, b: { c: [] } }, { b: { c: [] }, a: 1 })).toEqual([]);
  expect(differences({ a: null }, {})).toEqual([]);
  expect(differences(undefined, { a: 1 })).toEqual([{ path: "", before: null, after: { a: 1 } }]);
});
