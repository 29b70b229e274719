// The server's API as programs use it, for what a journey wants to know from the other side.

/** Signs in as a device of its own and returns a function that makes requests: (method, path, body) to the reply's body. */
export async function signIn(url, name, password) {
  const request = async (method, path, body, token) => {
    const response = await fetch(url + path, {
      method,
      headers: { ...(body && { 'content-type': 'application/json' }), ...(token && { authorization: `Bearer ${token}` }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
  };
  const grant = await request('POST', '/api/v1/auth/login', { name, password, device_label: 'journey' });
  return (method, path, body) => request(method, path, body, grant.access_token);
}

/** Asks until the answer satisfies `wanted`, and returns it. */
export async function until(ask, wanted, what, timeout = 20_000) {
  const end = Date.now() + timeout;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (Date.now() > end) throw new Error(`${what}: still ${JSON.stringify(answer).slice(0, 500)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
