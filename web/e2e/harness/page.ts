// The page of a Go test: starts the worker, and passes on what it says and what it asks. `report` is the harness.
declare function report(message: unknown): Promise<unknown>;

const worker = new Worker('/worker.js', { type: 'module' });
worker.onmessage = async (event) => {
  const answer = await report(event.data);
  if (event.data.asked !== undefined) worker.postMessage({ asked: event.data.asked, answer });
};
worker.onerror = (event) => report({ error: event.message || 'the worker could not be started' });
document.addEventListener('securitypolicyviolation', (event) => {
  report({ error: `content security policy: ${event.violatedDirective} blocked ${event.blockedURI}` });
});
const run: { argv: string[]; env: Record<string, string> } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
worker.postMessage(run);
