/** `node loop-fetch.ts URL TURNS FIRST_BYTES`: a conversation by plain requests that grow as the mind's do; stores nothing. */
import { question, reportTurns, systemPrompt } from "./loop-report.ts";

const [url = "", turns = "0", firstBytes = "0"] = process.argv.slice(2);
const messages: { role: string; content: string }[] = [{ role: "system", content: systemPrompt(Number(firstBytes)) }];

await reportTurns(Number(turns), async (number) => {
  messages.push({ role: "user", content: question(number) });
  const response = await fetch(`${url}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "stub", stream: true, messages }),
  });
  const answer = [...(await response.text()).matchAll(/^data: (\{.*)$/gm)]
    .map(([, json = ""]) => JSON.parse(json) as { choices: { delta: { content?: string } }[] })
    .map(({ choices }) => choices[0]?.delta.content ?? "")
    .join("");
  messages.push({ role: "assistant", content: answer });
});
