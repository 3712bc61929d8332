// Security keys and passkeys for forms: calls the browser's Web Authentication API with the options that the form brings,
// puts the answer into the form, and sends it. Front ends of any make may load this file; it touches nothing but the form.
(() => {
  "use strict";

  if (window.__oryWebAuthnInitialized) return;
  window.__oryWebAuthnInitialized = true;

  const toBytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));

  const toText = (buffer) =>
    btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""))
      .replace(/\+/g, "-")
      .replace(/\//g, "_")
      .replace(/=+$/, "");

  const withBytes = (descriptors) => descriptors?.map((descriptor) => ({ ...descriptor, id: toBytes(descriptor.id) }));

  // Options come as JSON, with bytes in base64url.
  function forCreation({ publicKey }) {
    return {
      ...publicKey,
      challenge: toBytes(publicKey.challenge),
      user: { ...publicKey.user, id: toBytes(publicKey.user.id) },
      excludeCredentials: withBytes(publicKey.excludeCredentials),
    };
  }

  function forRequest({ publicKey }) {
    return {
      ...publicKey,
      challenge: toBytes(publicKey.challenge),
      allowCredentials: withBytes(publicKey.allowCredentials),
    };
  }

  function toJson(credential) {
    const { response } = credential;
    const bytes = (name) => (response[name] ? { [name]: toText(response[name]) } : {});
    return JSON.stringify({
      id: credential.id,
      rawId: toText(credential.rawId),
      type: credential.type,
      authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
      clientExtensionResults: credential.getClientExtensionResults(),
      response: {
        ...bytes("clientDataJSON"),
        ...bytes("attestationObject"),
        ...bytes("authenticatorData"),
        ...bytes("signature"),
        ...bytes("userHandle"),
        ...(response.getTransports ? { transports: response.getTransports() } : {}),
      },
    });
  }

  const field = (name) => document.querySelector(`[name="${name}"]`);

  function available() {
    if (window.PublicKeyCredential) return true;
    alert("This browser does not support security keys and passkeys.");
    return false;
  }

  // A form may hold more than one of these fields: the one that was filled says what is meant.
  function send(name, credential, method) {
    const filled = field(name);
    filled.value = toJson(credential);
    const form = filled.closest("form");
    if (method && !form.querySelector(`input[type="hidden"][name="method"]`)) {
      const added = document.createElement("input");
      Object.assign(added, { type: "hidden", name: "method", value: method });
      form.append(added);
    }
    // A field named "submit" would hide the form's own function.
    HTMLFormElement.prototype.submit.call(form);
  }

  // Whether what must be typed beside a new key is there. Fields of other methods, such as a password, do not matter.
  const isFilledIn = (form) =>
    [...form.elements].every((input) => !/^(traits\.|webauthn_register_displayname$)/.test(input.name) || input.reportValidity());

  function failed(error) {
    // The person changed their mind, or another ceremony took the place of this one.
    if (error.name === "NotAllowedError" || error.name === "AbortError") return;
    if (error.name === "InvalidStateError") alert("This key is already set up.");
    else alert(error.message);
  }

  // Only one ceremony can run: the one in the field for the identifier gives way to one that was asked for.
  let running;
  async function ask(run) {
    running?.abort();
    running = new AbortController();
    return run(running.signal);
  }

  const options = (given, name) => {
    if (given) return typeof given === "string" ? JSON.parse(given) : given;
    const { value } = field(name);
    return JSON.parse(value);
  };

  async function create(parsed, name, method) {
    if (!available()) return;
    try {
      const made = await ask((signal) => navigator.credentials.create({ publicKey: forCreation(parsed), signal }));
      send(name, made, method);
    } catch (error) {
      failed(error);
    }
  }

  async function get(parsed, name, method) {
    if (!available()) return;
    try {
      const used = await ask((signal) => navigator.credentials.get({ publicKey: forRequest(parsed), signal }));
      send(name, used, method);
    } catch (error) {
      failed(error);
    }
  }

  // A security key: in settings, at sign-up, and at sign-in.
  window.oryWebAuthnRegistration = (given) => {
    if (!isFilledIn(field("webauthn_register").form)) return undefined;
    return create(options(given, "webauthn_register_trigger"), "webauthn_register", "webauthn");
  };
  window.oryWebAuthnLogin = (given) => get(options(given, "webauthn_login_trigger"), "webauthn_login", "webauthn");

  // A passkey at sign-up is named after what was typed so far.
  window.oryPasskeyRegistration = () => {
    const { credentialOptions, displayNameFieldName, displayNameFieldNames = [displayNameFieldName] } = options(
      undefined,
      "passkey_create_data",
    );
    if (!isFilledIn(field("passkey_register").form)) return undefined;
    const typed = displayNameFieldNames.map((name) => field(name)?.value).find((value) => value);
    if (typed) Object.assign(credentialOptions.publicKey.user, { name: typed, displayName: typed });
    return create(credentialOptions, "passkey_register", "passkey");
  };
  window.oryPasskeySettingsRegistration = () =>
    create(options(undefined, "passkey_create_data"), "passkey_settings_register", "passkey");

  window.oryPasskeyLogin = () => get(options(undefined, "passkey_challenge"), "passkey_login", "passkey");

  // Passkeys are offered where the identifier is typed, if the browser can do that. Nothing is shown if it fails.
  window.oryPasskeyLoginAutocompleteInit = async () => {
    const challenge = field("passkey_challenge");
    if (!challenge?.value || !window.PublicKeyCredential?.isConditionalMediationAvailable) return;
    try {
      if (!(await PublicKeyCredential.isConditionalMediationAvailable())) return;
      const { allowCredentials, ...publicKey } = forRequest(options(undefined, "passkey_challenge"));
      const used = await ask((signal) => navigator.credentials.get({ publicKey, mediation: "conditional", signal }));
      if (used) send("passkey_login", used, "passkey");
    } catch {
      // Another ceremony took its place.
    }
  };

  document.dispatchEvent(new CustomEvent("oryWebAuthnInitialized"));
})();
