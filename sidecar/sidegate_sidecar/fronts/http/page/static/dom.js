// Elements: made, filled and kept. What comes from outside only ever becomes text.

export const at = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children); // strings become text
  return node;
}

/** Return a new element of HTML. */
export const el = (tag, attributes = {}, ...children) =>
  filled(document.createElement(tag), attributes, children);

/** Return a new element of SVG. */
export const svg = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS(SVG, tag), attributes, children);

/** Set the text of an element, if it is another one: so nothing is read out or selected anew. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set an attribute, if it is another one. */
export function mark(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/**
 * Have a list show these items, in order. Who is there already stays the same element, and keeps
 * the focus: `make` returns a new one with `update`, which is called with the item each time.
 */
export function show(list, items, nameOf, make) {
  const there = new Map([...list.children].map((child) => [child.itemName, child]));
  items.forEach((item, place) => {
    const name = nameOf(item);
    let child = there.get(name);
    if (child) there.delete(name);
    else {
      child = make(item);
      child.itemName = name;
    }
    child.update(item);
    if (list.children[place] !== child) moved(list, child, place);
  });
  for (const child of there.values()) child.remove();
}

function moved(list, child, place) {
  const focused = child.contains(document.activeElement) ? document.activeElement : null;
  list.insertBefore(child, list.children[place] ?? null);
  focused?.focus({ preventScroll: true });
}

/** Return a table's row of these cells, each an element that the caller fills. */
export const row = (...cells) => el("tr", {}, ...cells);
