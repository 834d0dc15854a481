// Drives a real Chromium: one line of JSON on standard input is a request, one on standard output its answer. The first line
// has the settings. A text that was typed never comes back, and no value of a URL's query does.

import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

// The packages are in the folder of the build.
const found = createRequire(process.env.NODE_PACKAGES);
const { chromium } = (await import(pathToFileURL(found.resolve('playwright-core')))).default;
const axe = readFileSync(found.resolve('axe-core/axe.min.js'), 'utf8');

// Rules of WCAG 2.2, A and AA, and what axe recommends beside them.
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: FLAGS,
  chromiumSandbox: false,
});

let page;
let status;
let troubles;
let hosts;

const host = (url) => new URL(url).host;

// What a person sees, and what the page did that no page may do.
async function see() {
  const { origin, pathname, searchParams } = new URL(page.url());
  const seen = await page.evaluate(() => ({
    title: document.title,
    heading: document.querySelector('h1')?.innerText ?? '',
    notice: document.querySelector('#notice')?.innerText ?? '',
    text: document.body.innerText,
    focus: document.activeElement?.id || document.activeElement?.innerText || '',
  }));
  return { ...seen, status, at: origin + pathname, parameters: [...searchParams.keys()] };
}

// The element that the page marks with `autofocus` has the focus. A browser sets it with the first picture that it draws, which on a
// busy machine is later than `load`. Waits for five seconds at most. It asks from here, because the page may not run scripts.
async function focused() {
  for (let tries = 0; tries < 250; tries += 1) {
    const set = () => document.activeElement !== document.body || !document.querySelector('[autofocus]');
    if (await page.evaluate(set)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// Does what leads to another page, and waits until that is there: any, or one whose URL begins so.
async function leading(deed, until) {
  const there = until
    ? page.waitForURL((url) => url.href.startsWith(until), { waitUntil: 'load' })
    : page.waitForEvent('load');
  await Promise.all([there, deed()]);
  await focused();
  return see();
}

const requests = {
  // A person with a browser of her or his own: no cookie, nothing in a cache.
  async person({ language, scripts, posts, allowed }) {
    await page?.context().close();
    const context = await browser.newContext({ locale: language, javaScriptEnabled: scripts });
    page = await context.newPage();
    if (!posts) {
      const empty = { contentType: 'text/javascript', body: '' };
      await page.route('**/form-post*.js', (route) => route.fulfill(empty));
    }
    [troubles, hosts] = [[], allowed];
    page.on('console', (line) => {
      // Chromium says so of each answer that is no success.
      const expected = line.text().startsWith('Failed to load resource') && line.location().url === page.url();
      if (['error', 'warning'].includes(line.type()) && !expected) troubles.push(`${line.text()} (${line.location().url.split('?')[0]})`);
    });
    page.on('pageerror', (why) => troubles.push(String(why)));
    page.on('request', (request) => {
      if (hosts.length && !hosts.includes(host(request.url()))) troubles.push(`a request to ${host(request.url())}`);
    });
    page.on('response', (answer) => {
      const request = answer.request();
      if (request.isNavigationRequest() && request.frame() === page.mainFrame()) status = answer.status();
    });
    return null;
  },

  open: ({ url, until }) => leading(() => page.goto(url), until),

  see,

  // Types name and password and sends the form: with the mouse, or with the keyboard alone.
  async type({ name, password, keyboard, until }) {
    try {
      if (keyboard) {
        if (name !== null) await page.keyboard.type(name);
        if (name !== null) await page.keyboard.press('Tab');
        await page.keyboard.type(password);
        return await leading(() => page.keyboard.press('Enter'), until);
      }
      if (name !== null) await page.fill('#name', '');
      if (name !== null) await page.locator('#name').pressSequentially(name);
      await page.locator('#password').pressSequentially(password);
      return await leading(() => page.click('form button'), until);
    } catch (why) {
      throw new Error(String(why).replaceAll(password, '…'));
    }
  },

  // Types into the page for the change of a password and sends the form.
  async change({ old, typed, again, until }) {
    try {
      await page.locator('#old').pressSequentially(old);
      await page.locator('#new').pressSequentially(typed);
      await page.locator('#again').pressSequentially(again);
      return await leading(() => page.click('form button'), until);
    } catch (why) {
      throw new Error([old, typed, again].reduce((text, secret) => text.replaceAll(secret, '…'), String(why)));
    }
  },

  // Types the code of a device and sends the form.
  async code({ code, until }) {
    try {
      await page.locator('#code').pressSequentially(code);
      return await leading(() => page.click('form button'), until);
    } catch (why) {
      throw new Error(String(why).replaceAll(code, '…'));
    }
  },

  click: ({ words, until }) => leading(() => page.getByText(words, { exact: true }).click(), until),

  press: ({ key, until }) => leading(() => page.keyboard.press(key), until),

  // A key that leads nowhere else. Says what has the focus afterwards.
  async key({ key }) {
    await page.keyboard.press(key);
    return (await see()).focus;
  },

  // As many requests of the page at once as there are paths. Says the status of each, and whether it was led elsewhere.
  at_once: ({ paths }) =>
    page.evaluate(
      (all) =>
        Promise.all(
          all.map(async (path) => {
            const answer = await fetch(path, { redirect: 'manual' });
            return answer.type === 'opaqueredirect' ? 'redirect' : String(answer.status);
          }),
        ),
      paths,
    ),

  // The names of all cookies.
  cookies: async () => (await page.context().cookies()).map((cookie) => cookie.name),

  // Looks at the page in each width and colour scheme. Says what is wrong, and writes a picture of each.
  async inspect({ widths, schemes, pictures }) {
    const wrong = [];
    // Stored in the page by the debugger, which the page's own policy does not bind.
    await page.evaluate(axe);
    for (const scheme of schemes) {
      await page.emulateMedia({ colorScheme: scheme });
      for (const width of widths) {
        await page.setViewportSize({ width, height: width < 500 ? 740 : 900 });
        // A colour that still changes would be another one in a moment.
        await page.evaluate(() => Promise.all(document.getAnimations().map((one) => one.finished)));
        const seen = await page.evaluate(async (rules) => {
          const options = { runOnly: rules, rules: { 'target-size': { enabled: true } } };
          const { violations, incomplete } = await window.axe.run(document, options);
          const named = (all) => all.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
          const { scrollWidth, clientWidth } = document.documentElement;
          return { found: [...named(violations), ...named(incomplete)], over: scrollWidth - clientWidth };
        }, RULES);
        wrong.push(...seen.found.map((what) => `${width} ${scheme}: ${what}`));
        if (seen.over > 0) wrong.push(`${width} ${scheme}: ${seen.over} pixels too wide`);
        if (pictures) await page.screenshot({ path: `${pictures}-${width}-${scheme}.png`, fullPage: true });
      }
    }
    return wrong;
  },

  picture: async ({ file, width, height }) => {
    await page.setViewportSize({ width, height });
    await page.screenshot({ path: file });
    return null;
  },

  // What the pages of this person did since the last time: errors, breaches of their policy, requests to other hosts.
  troubles: () => troubles.splice(0),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...given } = JSON.parse(line);
  let answer;
  try {
    answer = { ok: await requests[name](given) };
  } catch (why) {
    answer = { error: String(why) };
  }
  console.log(JSON.stringify(answer));
}
await browser.close();
