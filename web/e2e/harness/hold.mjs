// A worker that takes its time: a test keeps a page's calls from it for a while, as a slow device or a slow line would,
// and does meanwhile what somebody does who does not wait.

/** Makes it possible in every page of a browser, before they are opened. */
export function mayHold(context) {
  return context.addInitScript(() => {
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message, ...more) {
      const call = message.ask && `${message.ask.name} ${message.ask.args?.path ?? message.ask.args?.id ?? ''}`;
      if (call && globalThis.spoiling && call.startsWith(globalThis.spoiling)) {
        globalThis.spoiling = '';
        globalThis.spoilt = true;
        post.call(this, { ask: { ...message.ask, name: 'spoilt' } }, ...more);
      } else if (call && globalThis.holding && call.startsWith(globalThis.holding)) globalThis.held.push(() => post.call(this, message, ...more));
      else post.call(this, message, ...more);
    };
  });
}

/** Keeps calls back whose name, or name and path or id, begins so. */
export const hold = (page, call) => page.evaluate((call) => void Object.assign(globalThis, { holding: call, held: [] }), call);

/** Waits until one is kept back. */
export const isHeld = (page) => page.waitForFunction(() => globalThis.held.length > 0);

/** Lets them go on. */
export const letGo = (page) =>
  page.evaluate(() => {
    globalThis.holding = '';
    for (const post of globalThis.held.splice(0)) post();
  });

/** Lets the next call fail whose name, or name and path or id, begins so. */
export const spoil = (page, call) => page.evaluate((call) => void Object.assign(globalThis, { spoiling: call, spoilt: false }), call);

/** Waits until one has failed. */
export const isSpoilt = (page) => page.waitForFunction(() => globalThis.spoilt);
